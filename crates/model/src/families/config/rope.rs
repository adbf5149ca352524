//! Rotary position embedding in config.json.

use serde_json::{Value, json};

use super::heads::even;
use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;
use crate::spec::{Rope, RopeScaling};

/// What holds where config.json says nothing.
#[derive(Clone, Copy)]
pub(crate) struct RopeDefaults {
    /// θ.
    pub(crate) theta: f32,
    /// Entries of a head.
    pub(crate) head_dim: usize,
    /// Which part of them turns where the family has partly turned heads; none where all of them do.
    pub(crate) part: Option<f32>,
    /// The most positions.
    pub(crate) context: usize,
}

/// `rope_theta` and `rope_scaling`, or both in `rope_parameters` (since transformers 5): the same for all layers.
pub(crate) fn one_rope(settings: &mut Settings, defaults: RopeDefaults) -> Result<Rope, Error> {
    let theta = settings.positive("rope_theta")?;
    // Some files say it in both places; then both must say the same.
    if let (Some(old), Some(new)) = (
        settings.peek("rope_scaling").cloned(),
        settings.peek("rope_parameters"),
    ) {
        if !old.is_null() && !new.is_null() && !same_rope(&old, new, theta) {
            let both = "both rope_scaling and rope_parameters, which differ".into();
            let one = "one of them; transformers computes with rope_scaling";
            return Err(settings.unsupported("rope_scaling", &both, one));
        }
        if !new.is_null() {
            settings.ignore(&["rope_scaling"]);
        }
    }
    let parameters = match settings.object("rope_parameters")? {
        Some(parameters) => Some(parameters),
        None => settings.object("rope_scaling")?,
    };
    rope_from(parameters, theta, settings, defaults)
}

/// Whether two dictionaries say the same: one may leave out the base that stands outside of them, and say `type` for `rope_type`.
fn same_rope(old: &Value, new: &Value, outer_theta: Option<f32>) -> bool {
    let whole = |value: &Value| {
        let mut entries = value.as_object()?.clone();
        if let Some(kind) = entries.remove("type") {
            entries.entry("rope_type").or_insert(kind);
        }
        if let Some(theta) = outer_theta {
            entries.entry("rope_theta").or_insert(theta.into());
        }
        let numbers = entries.values_mut();
        numbers.for_each(|value| {
            if let Some(number) = value.as_f64() {
                *value = number.into();
            }
        });
        Some(entries)
    };
    old == new || whole(old) == whole(new)
}

/// One rotary embedding: `parameters`, where there are any, beside a `theta` that stands outside of them.
pub(crate) fn rope_from(
    parameters: Option<Settings>,
    outer_theta: Option<f32>,
    settings: &mut Settings,
    defaults: RopeDefaults,
) -> Result<Rope, Error> {
    let outer_part = part(settings, defaults)?;
    let original = settings.size("original_max_position_embeddings")?;
    let Some(mut parameters) = parameters else {
        let part = outer_part.or(defaults.part).unwrap_or(1.0);
        return Ok(Rope::plain(
            outer_theta.unwrap_or(defaults.theta),
            dims(settings, "partial_rotary_factor", part, defaults.head_dim)?,
        ));
    };
    let inner_theta = parameters.positive("rope_theta")?;
    if let (Some(outer), Some(inner)) = (outer_theta, inner_theta)
        && outer != inner
    {
        let expected = format!(
            "{inner}, as {}rope_theta, which transformers computes with; or leave it out",
            parameters.prefix()
        );
        return Err(settings.invalid("rope_theta", &outer.into(), &expected));
    }
    let inner_part = part(&mut parameters, defaults)?;
    let part = inner_part.or(outer_part).or(defaults.part).unwrap_or(1.0);
    let dims = dims(
        &parameters,
        "partial_rotary_factor",
        part,
        defaults.head_dim,
    )?;
    let mut reader = Reader {
        parameters,
        dims,
        context: defaults.context,
        original,
    };
    let scaling = reader.scaling()?;
    reader.parameters.finish()?;
    Ok(Rope {
        theta: inner_theta.or(outer_theta).unwrap_or(defaults.theta),
        dims,
        scaling,
    })
}

/// Which part of a head turns, where that may be said.
fn part(settings: &mut Settings, defaults: RopeDefaults) -> Result<Option<f32>, Error> {
    const KEY: &str = "partial_rotary_factor";
    match defaults.part {
        Some(_) => settings.positive(KEY),
        None => settings.only(KEY, &json!(1)).map(|()| None),
    }
}

/// How many entries turn.
fn dims(settings: &Settings, key: &str, part: f32, head_dim: usize) -> Result<usize, Error> {
    let dims = (head_dim as f32 * part) as usize;
    if dims > head_dim {
        return Err(settings.invalid(key, &part.into(), "at most 1"));
    }
    let key = if part == 1.0 { "head_dim" } else { key };
    even(settings, key, dims)
}

struct Reader {
    parameters: Settings,
    dims: usize,
    context: usize,
    /// `original_max_position_embeddings` outside of the parameters.
    original: Option<usize>,
}

impl Reader {
    fn scaling(&mut self) -> Result<RopeScaling, Error> {
        let parameters = &mut self.parameters;
        let new_name = parameters.text("rope_type")?;
        let old_name = parameters.text("type")?;
        if let (Some(new), Some(old)) = (&new_name, &old_name)
            && new != old
        {
            let expected = format!("{new:?}, as rope_type");
            return Err(parameters.invalid("type", &old.as_str().into(), &expected));
        }
        match new_name.or(old_name).as_deref() {
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear {
                factor: parameters.required_positive("factor")?,
            }),
            Some("dynamic") => self.dynamic(),
            Some("yarn") => self.yarn(),
            Some("longrope" | "su") => self.longrope(),
            Some("llama3") => self.llama3(),
            Some(other) => {
                let known = "default, linear, dynamic, yarn, longrope or llama3";
                Err(parameters.unsupported("rope_type", &other.into(), known))
            }
        }
    }

    /// The context length before scaling: given, or the whole.
    fn original(&mut self) -> Result<usize, Error> {
        let inner = self.parameters.size("original_max_position_embeddings")?;
        Ok(inner.or(self.original).unwrap_or(self.context))
    }

    fn dynamic(&mut self) -> Result<RopeScaling, Error> {
        let factor = self.parameters.required_positive("factor")?;
        if self.dims == 2 {
            let key = "rope_type";
            return Err(self.parameters.unsupported(
                key,
                &"dynamic".into(),
                "heads of more than 2 entries",
            ));
        }
        Ok(RopeScaling::Dynamic {
            factor,
            original_context_length: self.original()?,
        })
    }

    fn yarn(&mut self) -> Result<RopeScaling, Error> {
        let original_context_length = self.original()?;
        let parameters = &mut self.parameters;
        let factor = match parameters.positive("factor")? {
            Some(factor) => factor,
            None => self.context as f32 / original_context_length as f32,
        };
        let given = parameters.positive("attention_factor")?;
        let mscale = parameters.number("mscale")?.filter(|&m| m != 0.0);
        let all_dims = parameters.number("mscale_all_dim")?.filter(|&m| m != 0.0);
        let scale = |m: f32| match factor <= 1.0 {
            true => 1.0,
            false => 0.1 * f64::from(m) * f64::from(factor).ln() + 1.0,
        };
        let magnitude = match (given, mscale, all_dims) {
            (Some(given), ..) => given,
            (None, Some(mscale), Some(all)) => (scale(mscale) / scale(all)) as f32,
            _ => scale(1.0) as f32,
        };
        Ok(RopeScaling::Yarn {
            factor,
            original_context_length,
            beta_fast: parameters.positive("beta_fast")?.unwrap_or(32.0),
            beta_slow: parameters.positive("beta_slow")?.unwrap_or(1.0),
            truncate: parameters.bool("truncate")?.unwrap_or(true),
            magnitude,
        })
    }

    fn longrope(&mut self) -> Result<RopeScaling, Error> {
        let original_context_length = self.original()?;
        let [short, long] = ["short_factor", "long_factor"].map(|key| self.factors(key));
        let given = self.parameters.positive("factor")?;
        let stretched = self.context as f32 / original_context_length as f32;
        let factor = given.filter(|_| stretched == 1.0).unwrap_or(stretched);
        let magnitude = match self.parameters.positive("attention_factor")? {
            Some(magnitude) => magnitude,
            None if factor <= 1.0 => 1.0,
            None => {
                let original = original_context_length as f64;
                (1.0 + f64::from(factor).ln() / original.ln()).sqrt() as f32
            }
        };
        Ok(RopeScaling::LongRope {
            short: short?,
            long: long?,
            original_context_length,
            magnitude,
        })
    }

    /// A list of divisors, one a pair.
    fn factors(&mut self, key: &str) -> Result<Vec<f32>, Error> {
        let value = self.parameters.take(key).unwrap_or(Value::Null);
        let numbers = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let factors: Vec<f32> = numbers
            .iter()
            .filter_map(Value::as_f64)
            .map(|factor| factor as f32)
            .filter(|&factor| factor > 0.0 && factor.is_finite())
            .collect();
        match factors.len() == numbers.len() && factors.len() == self.dims / 2 {
            true => Ok(factors),
            false => {
                let expected = format!("a list of {} positive numbers", self.dims / 2);
                Err(self.parameters.invalid(key, &value, &expected))
            }
        }
    }

    fn llama3(&mut self) -> Result<RopeScaling, Error> {
        let parameters = &mut self.parameters;
        let low_freq_factor = parameters.required_positive("low_freq_factor")?;
        let high_freq_factor = parameters.required_positive("high_freq_factor")?;
        if high_freq_factor <= low_freq_factor {
            let expected = format!("more than low_freq_factor, {low_freq_factor}");
            let found = json!(high_freq_factor);
            return Err(parameters.invalid("high_freq_factor", &found, &expected));
        }
        Ok(RopeScaling::Llama3 {
            factor: parameters.required_positive("factor")?,
            low_freq_factor,
            high_freq_factor,
            original_context_length: parameters
                .required_size("original_max_position_embeddings")?,
        })
    }
}
