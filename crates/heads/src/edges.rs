//! Edges by name: `he->Madd@14.8` is the edge from *he* to *Madd* in head 8 of layer 14.

use std::fmt;
use std::str::FromStr;

use lookback_model::{Encoding, Model};
use lookback_trace::{Cut, HeadId, Words};

use crate::{Error, WordName, head, select};

/// Edges that the names of one run may stand for together.
pub const MOST_EDGES: usize = 1 << 18;

/// Edges from one word to another as a person names them: `WORD->WORD@HEADS`, heads as `14.8,L15H2`, or `all`, or left
/// out for all. The edges run from every token of the first word to every token of the second, wherever it comes before
/// the first.
///
/// ```
/// use lookback_heads::edges::EdgeName;
/// let name: EdgeName = "he#2->New York@14.8,L15H2".parse()?;
/// assert_eq!(name.to_string(), "he#2->New York@14.8,15.2");
/// assert_eq!("he->Madd".parse::<EdgeName>()?.to_string(), "he->Madd@all");
/// assert!("he-Madd".parse::<EdgeName>().is_err());
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeName {
    from: WordName,
    to: WordName,
    /// Empty for all.
    heads: Vec<HeadId>,
}

impl FromStr for EdgeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::MalformedCut { text: text.into() };
        let (from, rest) = text.split_once("->").ok_or_else(malformed)?;
        let (to, heads) = rest.rsplit_once('@').unwrap_or((rest, "all"));
        let heads = match heads.trim() {
            "all" => Vec::new(),
            some => some.split(',').map(head::parse).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            from: from.parse().map_err(|_| malformed())?,
            to: to.parse().map_err(|_| malformed())?,
            heads,
        })
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}@", self.from, self.to)?;
        if self.heads.is_empty() {
            return f.write_str("all");
        }
        for (index, head) in self.heads.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}.{}", head.layer, head.head)?;
        }
        Ok(())
    }
}

/// The edges of a text that these names stand for.
///
/// # Errors
/// Those of [`WordName::find_one`]; [`Error::CandidateNotBefore`] where the second word does not come before the
/// first, so that there is no edge; [`Error::NoSuchHead`]; [`Error::TooManyEdges`].
pub fn find(model: &Model, encoding: &Encoding, names: &[EdgeName]) -> Result<Vec<Cut>, Error> {
    let words = Words::new(&encoding.text, &encoding.spans);
    let spec = model.spec();
    let mut cuts = Vec::new();
    for name in names {
        let from = name.from.find_one(&encoding.text, &words)?;
        let places = name.to.find(&encoding.text, &words)?.into_iter();
        let to: Vec<usize> = places
            .filter(|place| place.end <= from.end)
            .flatten()
            .collect();
        if to.is_empty() {
            return Err(Error::CandidateNotBefore {
                candidate: name.to.to_string(),
                interest: vec![select::label_of(&encoding.text, &words, &from)],
            });
        }
        let tokens = |word: usize| words.get(word).map_or(0..0, |w| w.tokens.clone());
        let rows = select::tokens_of(&words, &from);
        let mut heads = name.heads.clone();
        if heads.is_empty() {
            heads.extend(head::all(spec.layers.len(), spec.heads));
        }
        let keys: usize = to.iter().map(|&word| tokens(word).len()).sum();
        let more = keys.saturating_mul(rows.len() * heads.len());
        if cuts.len() + more > MOST_EDGES {
            return Err(Error::TooManyEdges {
                name: name.to_string(),
                edges: cuts.len() + more,
            });
        }
        for &HeadId { layer, head } in &heads {
            crate::head::check(HeadId { layer, head }, spec.layers.len(), spec.heads)?;
            for i in rows.clone() {
                let keys = to.iter().flat_map(|&word| tokens(word));
                cuts.extend(keys.map(|j| Cut { layer, head, i, j }));
            }
        }
    }
    Ok(cuts)
}
