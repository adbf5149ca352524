#!/usr/bin/env python3
"""Render templates with Jinja2 as `transformers` sets it up, for the tests of the chat templates.

Writes a list of pairs: a template, and what came of it, or null where Jinja2 refused it.

Needs jinja2.
Usage: chat_templates.py > crates/model/tests/data/jinja2.json
"""

import json

from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

TURNS = [("system", "Be brief."), ("user", " Who? "), ("assistant", "Me."), ("user", "Sure?")]
CONTEXT = {
    "messages": [{"role": role, "content": content} for role, content in TURNS],
    "tools": None,
    "documents": None,
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
}

# One a line.
LINES = r'''
{{ 1 + 2 * 3 - 4 // 3 % 2 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}
{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }} {{ 100.5 }} {{ 1e300 * 1e10 }} {{ 3.14159 }}
{{ [1, 'a', "it's", 'q"', None, true, 1.5, {'k': (1,)}, (), (1, 2)] }}
{{ 'a\nb\t\\\'\x07é' }} {{ ['a\nb\t\\\'\x07é'] }}
{{ {'b': 1, 'a': 2} }} {{ {'b': 1, 'a': 2, 'b': 3} }}
{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abcdef'[1:4] }}{{ 'abcdef'[::-1] }}{{ 'abcdef'[-2:] }}{{ 'abcdef'[::2] }}{{ 'abcdef'[4:1:-1] }}{{ [1,2,3][5:] }}{{ [1,2,3][:-1] }}{{ (1,2,3)[1:] }}
{{ 'é日本語'[1:3] }} {{ 'é日本語'|length }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' in 'abc' }} {{ 3 not in [1,2] }} {{ 'k' in {'k': 1} }} {{ 1 == 1.0 == true }} {{ [1,2] < [1,3] }}
{{ 'x' if false }}|{{ 'x' if true else 'y' }}|{{ 1 if false else 2 if false else 3 }}|{{ 1 if 0 if 1 else 5 }}
{{ not true and false or true }} {{ 0 or 'x' }} {{ 1 and 'y' }} {{ [] or {} or none }}
{{ undefined_thing }}|{{ undefined_thing is defined }}|{{ undefined_thing | default('d') }}|{{ '' | default('d', true) }}|{{ none | d('z', boolean=true) }}|{{ messages[0].nothing is undefined }}
{{ undefined_thing.x }}
{{ undefined_thing + 1 }}
{{ 'a' ~ 1 ~ none ~ true ~ [1] ~ 1.5 }} {{ 'a' + 'b' * 3 }} {{ [1] * 3 + [2] }} {{ 3 * 'x' }} {{ (1,) + (2,) }}
{{ 'a' + 1 }}
{{ 'a' 'b' "c" }}
{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for i in range(5) if i % 2 == 0 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% else %}none{% endfor %}{% for i in [] %}x{% else %}none{% endfor %}
{% for i in range(10, 0, -3) %}{{ i }},{{ loop.revindex }},{{ loop.previtem }},{{ loop.nextitem }};{% endfor %} {{ range(5) }} {{ range(1, 7, 2) | list }} {{ range(3)[1] }} {{ 4 in range(0, 10, 2) }}
{% for a in [1,2] %}{% for b in [3,4] %}{{ loop.index }}{{ loop.depth }}{% endfor %}{% endfor %}
{% for x in [1,1,2,2,3] %}{{ loop.changed(x) }}{{ loop.cycle('a','b') }} {% endfor %}
{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}, {'v': 3, 'c': [{'v': 4, 'c': []}]}]}] recursive %}{{ n.v }}@{{ loop.depth }}({{ loop(n.c) }}){% endfor %}
{% for i in [1,2,3,4] %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 7 %}{% endif %}{{ x }}
{% set ns = namespace(a=1, b='x') %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}
{% set ns = namespace({'q': 2}) %}{{ ns.q }}{% set ns.w = [1] %}{{ ns.w }}
{% macro m(a, b=2, c=b) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 5) }} {{ m(a=3, c=9) }} {{ m() }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}
{% macro box(t) %}[{{ t }}:{{ caller() }}]{% endmacro %}{% call box('T') %}body{{ 1 }}{% endcall %}
{% macro each(xs) %}{% for x in xs %}{{ caller(x) }};{% endfor %}{% endmacro %}{% call(x) each([1,2]) %}<{{ x }}>{% endcall %}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% set g = 1 %}{% macro m() %}{{ g }}{% endmacro %}{% set g = 2 %}{{ m() }}
{% set body %}  hello {{ 1 + 1 }} {% endset %}[{{ body }}]{% set u | upper | trim %} abc {% endset %}[{{ u }}]
{% filter upper %}abc{{ 'd' }}{% endfilter %}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}
{% raw %}{{ not }} {% x %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}  y
{# comment #}a{#- c -#} b
  {# own line #}
x
a {%- if true %} b {% endif -%} c
   {% if true %}
  x
   {%+ if true %} y {% endif +%}
z
{{- 'a' -}}   b   {{- 'c' }}
{{ '%s and %d, %5.2f|%-5s|%05d|%x|%%|%r' % ('a', 3, 3.14159, 'ab', 42, 255, 'q') }} {{ '%s' % 'x' }} {{ '%s' % 5 }} {{ '%s' % [1,2] }} {{ '%(a)s-%(b)d' % {'a': 1, 'b': 2} }} {{ '%+d % d %#x %e %g %g %G' % (5, 5, 255, 12345.678, 0.00001, 1e20, 1e-10) }}
{{ '%s' % (1,) }} {{ '%s %s' % 'a' }}
{{ '{} {}'.format(1, 2) }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}-{y[k]}-{z[0]}'.format(x=1, y={'k': 2}, z=[3]) }} {{ '{:>8}|{:<8}|{:^8}|{:*^9}|{:08.3f}|{:,}|{:+}|{:x}|{:#b}|{:.2%}|{:e}|{!r}|{{}}'.format('a', 'b', 'c', 'd', 3.14159, 1234567, 5, 255, 5, 0.256, 12345.678, 'q') }} {{ '{:.3}'.format('abcdef') }} {{ '{:g}'.format(1000000.0) }} {{ '{:.3g}'.format(1234.5) }} {{ '{:_}'.format(1234567) }} {{ '{:10d}|'.format(5) }} {{ '{:<010}|'.format(5) }} {{ '{:.1f}'.format(2) }}
{{ 'Hello World' | lower }}{{ 'x' | upper }}{{ 'hello world' | title }}{{ 'hELLO' | capitalize }}{{ '  a ' | trim }}{{ 'xxaxx' | trim('x') }}{{ 'aXbX' | replace('X', '-') }}{{ 'aXbX' | replace('X', '-', 1) }}
{{ "it's a dog-like thing's" | title }} {{ "it's a dog-like".title() }}
{{ [3,1,2] | sort }} {{ ['b','A','c'] | sort }} {{ ['b','A','c'] | sort(case_sensitive=true) }} {{ [1,2,3] | sort(reverse=true) }} {{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }} {{ [{'a': 2, 'b': 1}, {'a': 1, 'b': 3}, {'a': 1, 'b': 2}] | sort(attribute='a,b') }}
{{ [1,2,3] | sum }} {{ [{'a': 2}, {'a': 1}] | sum(attribute='a') }} {{ [1,2] | sum(start=10) }} {{ [3,1] | max }} {{ [3,1] | min }} {{ [] | max }} {{ ['b', 'A'] | min }}
{{ [1,2,3] | join(', ') }} {{ [1,2] | join }} {{ [{'a': 'x'}, {'a': 'y'}] | join('-', attribute='a') }} {{ ','.join(['a','b']) }} {{ {'a': 1, 'b': 2} | join(',') }} {{ 'abc' | join('-') }}
{{ [1,2,3] | first }} {{ [1,2,3] | last }} {{ [] | first }} {{ 'abc' | first }} {{ 'abc' | last }} {{ [1,2,3] | reverse | list }} {{ 'abc' | reverse }} {{ [1,2,3] | length }} {{ {'a': 1} | count }}
{{ [1,2,3,4] | select('odd') | list }} {{ [1,2,3,4] | reject('odd') | list }} {{ [0,1,none] | select | list }} {{ [{'a': 1}, {'a': 0}] | selectattr('a') | list }} {{ [{'a': 1}, {'a': 0}] | rejectattr('a', 'equalto', 1) | list }} {{ [{'r': 'x'}] | selectattr('r', 'in', ['x', 'y']) | list }} {{ [1,5] | select('gt', 2) | list }} {{ [{'a': 1}, {}] | selectattr('a', 'defined') | list }}
{{ ['a','b'] | map('upper') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [{}] | map(attribute='a', default='z') | list }} {{ ['a b', 'c'] | map('replace', ' ', '_') | join(',') }} {{ [1, 2] | map('string') | list }}
{{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) }} {{ {'b': 1} | items | list }}
{{ [1,2,3,4,5] | batch(2) | list }} {{ [1,2,3,4,5] | batch(2, 'x') | list }} {{ [1,2,3,4,5] | slice(2) | list }} {{ [1,2,3,4,5] | slice(2, 'x') | list }} {{ [1,2,3,4] | slice(2, 'x') | list }} {{ ['a','A','b'] | unique | list }}
{% for g in [{'k': 'a', 'v': 1}, {'k': 'b', 'v': 2}, {'k': 'a', 'v': 3}] | groupby('k') %}{{ g.grouper }}:{{ g.list | map(attribute='v') | list }} {% endfor %}{% for k, l in [{'k': 2}, {'k': 1}] | groupby('k') %}{{ k }}{{ l }}{% endfor %}
{{ '3' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '0x1f' | int(0, 16) }} {{ '3.7' | int }} {{ '2.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ -3 | abs }} {{ 2.567 | round }} {{ 2.567 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }} {{ 2.5 | round }} {{ 42 | round }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('>>') }}
{{ 'hello world foo bar' | truncate(11) }} {{ 'hello world foo bar' | truncate(11, true) }} {{ 'hello world' | truncate(11) }} {{ 'hello world foo' | truncate(9, leeway=0, end='..') }} {{ 'hello big world' | wordcount }} {{ 'abc' | center(9) }}| {{ '<a href="x">&\'' | e }}
{{ 'abc' | list }} {{ {'a': 1} | list }} {{ (1, 2) | list }} {{ 1 | string + 'x' }} {{ [1, 'a'] | string }} {{ 'x' | safe }} {{ [1] | pprint }}
{{ 5 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 'a' is string }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ {} is mapping }}{{ [] is sequence }}{{ [] is iterable }}{{ none is none }}{{ 'a' is in ['a'] }}{{ 'a' is not in 'abc' }}{{ 1 is eq 1 }}{{ 1 is ne(2) }}{{ 2 is gt 1 }}{{ 'A' is upper }}{{ 'a' is lower }}{{ 1 is sameas 1 }}{{ true is true }}{{ 0 is false }}{{ range is callable }}{{ x is not defined }}{{ 'abc' is iterable }}{{ 1 is iterable }}{{ {} is sequence }}{{ true is number }}{{ true is integer }}
{{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a  b c'.split(None, 1) }} {{ 'a b  c'.rsplit(None, 1) }} {{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a\nb'.splitlines(true) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'abc'.split('</think>')[-1] }}
{{ 'abc'.upper() }}{{ 'ABC'.lower() }}{{ 'abc'.capitalize() }}{{ 'a b'.title() }}{{ 'aB'.swapcase() }}{{ ' a '.strip() }}{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xyax'.strip('xy') }}{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abc'.find('z') }}{{ 'abcabc'.count('b') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'abc'.replace('', '-') }}{{ 'abc'.isalpha() }}{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'a'.islower() }}{{ 'A'.isupper() }}{{ 'pre-x'.removeprefix('pre-') }}{{ 'x.py'.removesuffix('.py') }}{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'ab'.center(5) }}|{{ 'ab'.center(5, '*') }}|{{ 'abc'.center(6, '*') }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3) }}|{{ '5'.zfill(3) }}{{ '-5'.zfill(4) }}{{ 'abc'.index('b') }}
{{ {'a': 1}.get('a') }}{{ {'a': 1}.get('b') }}{{ {'a': 1}.get('b', 'z') }}{{ {'a': 1}.keys() | list }}{{ {'a': 1}.values() | list }}{{ {'a': 1}.items() | list }}{{ [1,2,1].count(1) }}{{ [1,2].index(2) }}
{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ dict([('a', 1)]) }}
{{ [1].append(2) }}
{{ {'b': [1, 'é<&>"\\\n\u0001'], 'a': none, 'c': {}, 'd': [], 'e': 1.5, 'f': true} | tojson }} {{ {'b': [1, {'x': 2}], 'a': []} | tojson(indent=2) }} {{ {'b': 1, 'a': 'é😀'} | tojson(ensure_ascii=true, separators=(',', ':'), sort_keys=true) }} {{ {'b': [1,2]} | tojson(indent=4, separators=(', ', '=')) }} {{ {1: 2, none: 3, true: 4, 1.5: 6} | tojson }} {{ 1e100 | tojson }} {{ (1, 2) | tojson }} {{ 'x' | tojson }} {{ [1,2] | tojson(indent=none) }}
{{ undefined_thing | tojson }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}{% set t = 1, %}{{ t }}
{% set a, b = [1] %}
{{ messages[0]['role'] }}{{ messages[-1].content }}{{ messages | length }}{{ messages[1:] | map(attribute='role') | join(',') }}{{ messages.0.role }}
{{ messages[0].items() | list }}{{ 'role' in messages[0] }}
{% if messages[0].role == 'system' and messages | length > 1 %}yes{% elif false %}no{% else %}other{% endif %}
{{ ('a' if true else 'b') ~ 'c' }}{{ ('a' | upper) ~ 'c' }}{{ 'a' | upper ~ 'c' }}{{ -1 | abs }}{{ 'ab' | upper | lower | length + 1 }}
{{ loop is defined }}{% block title %}x{% endblock %}{% block b %}y{% endblock b %}
{{ 10_000 }} {{ 1.5e3 }} {{ 1e3 }} {{ .5 }}
{{ "a\
b" }}
{{ true == 1 }} {{ none == false }} {{ 'a' < 'b' }} {{ [1] == [1] }} {{ {'a': 1} == {'a': 1} }} {{ (1,) == [1] }} {{ 'a' == 1 }}
{{ 'a' < 1 }}
{{ 1 // 0 }}
{{ m(*[1, 2], **{'c': 3}) }}{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}
{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2], **{'c': 3}) }}
{{ unknown() }}
{{ 'x' | unknown }}
{{ 'x' is unknown }}
{% unknown %}
{% if true %}
{{ 1 }
{{ 'a }}
{% endif %}
{% generation %}a{% set q = 1 %}{{ q }}{% endgeneration %}{{ q is defined }}
{% for x in 'ab' %}{{ x }},{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in undefined_thing %}x{% else %}e{% endfor %}
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{{ [[1, 2], [3]] | sum(start=[]) }} {{ '%s|%s' | format('a', 2) }} {{ '%(x)s' | format(x=1) }} {{ 'x' ~ 'y' | upper }}
{{ (1, 2)[0] }}{{ [1,2,3][1:2][0] }}{{ 'abc'[1:][0].upper() }}{{ ['x'][0] ~ {'a': ['b']}.a[0] }}{{ [1,2][9] }}|{{ {'a': 1}['z'] }}|{{ 'abc'[7] }}
{{ messages | tojson }}{{ namespace }}{{ namespace(a=1) is defined }}
{{ '\u00e9\U0001F600\101' }}
{{ true }} {{ True }} {{ none }} {{ None }} {{ false }}
{{ [1, 2,] }} {{ {'a': 1,} }} {{ (1,) }} {{ () }}
{{ 1 if x is defined else 2 }}{{ 5 if messages is defined and messages else 6 }}
{{ 'a' not in ['b'] and not 'c' in 'd' }} {{ not not 1 }} {{ - - 1 }} {{ +1 }} {{ -'a' }}
{{ 0.1 + 0.2 }} {{ 1e22 }} {{ 123456789012345680.0 }} {{ 1.0e-5 }} {{ 5 % 3.5 }} {{ 3.0 * 2 }} {{ 6 / 2 }} {{ 2 ** 0.5 }} {{ 7 // 2.0 }}
'''

WHOLE = [
    "a\r\nb\n",
    "x\n\n",
    "{% if true %}\r\n  a\r\n{% endif %}\r\nb",
    "  {%- if true -%}  \n a  {%- endif %}\n\n b",
    "{% for m in messages %}\n    {{ m.role }}\n  {% endfor %}\nend\n\n",
    "a\n  {# c #}\n  b {# d #}\n c",
    "\n  {% set x = 1 %}  \n{{ x }}",
    "{% raw %}\n a {{ b }}\n{% endraw %}\nz",
    "{{ {'a': {'b': {}}} }}",
    "{{ '}}' }}{{ '%}' }}{% set x = '%}' %}{{ x }}",
    "{#- a\nb -#}\n x {%- set y = 1 +%}\n z",
    "{{+ 1 }}",
    "   {%+ set y = 1 %}\nz",
    "a   {% set x = 1 %}   b",
    "{{ 1 }}\n{% set x = 1 %}\n{{ x }}\n",
    "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n{%- else %}\n    {%- if messages[0].role == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n        {%- set ns.multi_step_tool = false %}\n        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}\n        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- elif message.role == \"assistant\" %}\n        {%- set content = message.content %}\n        {%- if '</think>' in message.content %}\n            {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}\n        {%- endif %}\n        {{- '<|im_start|>' + message.role + '\\n' + content }}\n        {{- '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}",
    "{%- macro describe(name, schema, depth=0) %}\n{{ '  ' * depth }}{{ name }}: {{ schema.type | default('any') }}\n{%- if schema.properties is defined %}\n{%- for key, value in schema.properties.items() %}\n{{ describe(key, value, depth + 1) }}\n{%- endfor %}\n{%- endif %}\n{%- endmacro %}\n{%- set tool = {'type': 'object', 'properties': {'city': {'type': 'string'}, 'when': {'type': 'object', 'properties': {'day': {}}}}} %}\n{{- describe('weather', tool) }}\n{{ tool | tojson(indent=4) }}\n{{ tool | tojson(separators=(',', ':'), sort_keys=true) }}"
]


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    cases = []
    for template in LINES.strip("\n").split("\n") + WHOLE:
        try:
            expected = environment.from_string(template).render(**CONTEXT)
        except Exception:
            expected = None
        cases.append([template, expected])
    rows = (json.dumps(case, ensure_ascii=False) for case in cases)
    print("[\n" + ",\n".join(rows) + "\n]")


if __name__ == "__main__":
    main()
