//! How often any model points at the right name: the mean over its answering heads, from the pronoun's row.
//!
//! `cargo run --release -p lookback-learn --example ask_model -- MODEL [DRAWS]`

#![expect(clippy::print_stdout, reason = "its purpose")]

use lookback_learn::accuracy::{correct, interval, measure};
use lookback_learn::batch::Example;
use lookback_learn::sentences::{ReadFrom, Set, Split};
use lookback_learn::{evaluation_set, inference};
use lookback_model::store::{Silent, Store};
use lookback_model::{LoadOptions, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("give a model")?;
    let draws = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let path = Store::from_env()?.resolve(&name, &Silent)?.path;
    let model = Model::load(&path, &LoadOptions::default())?;
    for split in [Split::HeldOutNames, Split::HeldOutTemplates] {
        let items = evaluation_set::items(split, Set::Pronoun, draws);
        let masses = inference::masses(&model, &items, ReadFrom::Pronoun)?;
        let examples = Example::all(&items, model.tokenizer(), ReadFrom::Pronoun)?;
        let measured = measure(&masses, &examples);
        let [low, high] = interval(&correct(&masses, &examples), 0);
        println!(
            "{name}, {}: {:.1}% [{:.1}, {:.1}] of {}; on the answer {:.3}, on the other {:.3}",
            split.name(),
            measured.accuracy * 100.0,
            low * 100.0,
            high * 100.0,
            measured.count,
            measured.on_answer,
            measured.on_other
        );
    }
    Ok(())
}
