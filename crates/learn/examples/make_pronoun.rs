//! Trains the `pronoun` model that is built into the program, and writes its file, log and licence notice.
//!
//! `cargo run --release -p lookback-learn --example make_pronoun -- FOLDER [SECONDS]`
//!
//! Stops after SECONDS, where they are given; called again, it goes on where it stopped, with the same result.

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use lookback_learn::accuracy::{correct, masses, measure};
use lookback_learn::batch::{Example, Table};
use lookback_learn::evaluation_set::{examples, items};
use lookback_learn::sentences::{ReadFrom, Set, Split};
use lookback_learn::train::{Files, Settings, Trainer};
use lookback_learn::{Base, Config, Error, Parameters, file, vocabulary};
use lookback_model::store::{Silent, Store};

/// Tokens of the default model that are kept whatever they are: the most frequent ones.
const KEPT: usize = 8_500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("give the folder that the files are written to")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let seconds: Option<u64> = arguments.next().map(|text| text.parse()).transpose()?;
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));

    let source = Store::from_env()?.default_model(&Silent)?.path;
    let vocabulary = vocabulary(&source, KEPT)?;
    println!(
        "{} tokens, table {}",
        vocabulary.len(),
        vocabulary.table_sha256()
    );
    let config = Config::new(vocabulary.d(), 3, 4);
    let settings = Settings::default();

    // Tokenizer and rows are those that ship: of a file with this vocabulary.
    let fresh = folder.join("untrained.gguf");
    file::write(&fresh, &vocabulary, &config, &Parameters::new(&config, 0)?)?;
    let base = Base::open(&fresh)?;
    std::fs::remove_file(&fresh)?;
    let tokenizer = base.tokenizer();
    let table = Table::Frozen(base.values(), base.d());

    let files = Files {
        checkpoint: folder.join("training.safetensors"),
        metrics: folder.join("training.jsonl"),
    };
    let mut trainer = Trainer::new(config.clone(), settings, (tokenizer, table), Some(files))?;
    println!(
        "{} parameters, from step {}",
        trainer.model().parameters().count(),
        trainer.step()
    );
    let began = Instant::now();
    let ran = trainer.run(|record| {
        if let Some(validation) = &record.validation {
            println!(
                "step {:5} loss {:.4} validation {:.4} accuracy {:.4} ({:.0} s)",
                record.step,
                record.loss,
                validation.loss,
                validation.measured.accuracy,
                began.elapsed().as_secs_f64(),
            );
        }
        match until {
            Some(until) if Instant::now() > until => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    match ran {
        Ok(()) | Err(Error::Stopped { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    file::write(
        &folder.join("pronoun.gguf"),
        &vocabulary,
        &config,
        trainer.model().parameters(),
    )?;
    for split in [
        Split::Training,
        Split::HeldOutNames,
        Split::HeldOutTemplates,
    ] {
        let items = items(split, Set::Pronoun, 100);
        let examples = examples(split, (Set::Pronoun, ReadFrom::Pronoun), 100, tokenizer)?;
        report(
            split.name(),
            &items,
            &examples,
            &masses(trainer.model(), trainer.table(), &examples)?,
        );
    }
    Ok(())
}

fn report(
    name: &str,
    items: &[lookback_learn::sentences::Item],
    examples: &[Example],
    masses: &[[f64; 2]],
) {
    let all = measure(masses, examples);
    println!(
        "{name}: accuracy {:.4}, on the answer {:.3}, on the other {:.3}",
        all.accuracy, all.on_answer, all.on_other
    );
    let mut by_form: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (item, right) in items.iter().zip(correct(masses, examples)) {
        let form = item.template.split(" / ").next().unwrap_or_default();
        let entry = by_form.entry(form).or_default();
        entry.0 += right;
        entry.1 += 1;
    }
    for (form, (right, count)) in by_form {
        println!("    {form}: {:.3} of {count}", right / count as f64);
    }
}
