import { mount } from 'svelte';
import App from './App.svelte';
import './styles/base.css';
import './styles/frame.css';
import './styles/text.css';
import './styles/who.css';
import './styles/grid.css';
import './styles/map.css';
import './styles/steps.css';
import './styles/narrow.css';

const target = document.getElementById('app');
if (target) mount(App, { target });
