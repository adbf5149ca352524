//! What can be wrong with a call: every variant names the dimensions and the values it met.

use lookback_simd::UnavailableInstructionSet;

/// A call that cannot be answered. Nothing in this crate panics on bad input; it returns one of these.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands disagree about a dimension that they share.
    #[error("{dimension} is {left} in {left_name} but {right} in {right_name}; they must be equal")]
    ShapeMismatch {
        /// The shared dimension, in the field's letters, such as `d_k` or `M`.
        dimension: &'static str,
        /// The first operand.
        left_name: &'static str,
        /// The dimension in the first operand.
        left: usize,
        /// The second operand.
        right_name: &'static str,
        /// The dimension in the second operand.
        right: usize,
    },
    /// A dimension is zero where at least one is needed.
    #[error("{dimension} of {operand} is 0; it must be at least 1")]
    ZeroSize {
        /// The dimension, in the field's letters.
        dimension: &'static str,
        /// The operand that has it.
        operand: &'static str,
    },
    /// The scale is NaN or infinite.
    #[error("the scale is {scale}; it must be finite")]
    NonFiniteScale {
        /// The scale as given.
        scale: f64,
    },
    /// The query heads cannot be shared out evenly among the key/value heads.
    #[error(
        "{heads} query heads cannot be grouped over {kv_heads} key/value heads: H_kv must divide H"
    )]
    UnevenGroups {
        /// H, the number of query heads.
        heads: usize,
        /// H_kv, the number of key/value heads.
        kv_heads: usize,
    },
    /// An option of [`Scoring`](crate::Scoring) holds a value that has no meaning.
    #[error("{option} is {value}; {expected}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// The value as given.
        value: f64,
        /// What the option accepts.
        expected: &'static str,
    },
    /// An option has one entry a head, batch element or position, and a wrong number of entries.
    #[error("{option} has {found} entries along {dimension}; {expected} are needed")]
    OptionLength {
        /// The option's name.
        option: &'static str,
        /// The dimension that it runs along.
        dimension: &'static str,
        /// How many entries it has.
        found: usize,
        /// How many it must have.
        expected: usize,
    },
    /// A range of rows or columns reaches beyond the matrix that it is taken from.
    #[error("{what} {start}..{end} is not within 0..{len}")]
    RangeOutOfBounds {
        /// What the range counts, such as `rows`.
        what: &'static str,
        /// The range's start.
        start: usize,
        /// The range's end.
        end: usize,
        /// The length of the dimension.
        len: usize,
    },
    /// A query's range of keys does not go with a mask of ranges.
    #[error("the keys of query {query} are {start}..{end}: {reason}")]
    KeyRange {
        /// The query.
        query: usize,
        /// Its first key.
        start: usize,
        /// The key after its last.
        end: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A mask hides a key between two that the query sees.
    #[error(
        "query {query} sees keys on both sides of key {key}, but not that one: a mask is one range of keys for each query"
    )]
    MaskWithHoles {
        /// The query.
        query: usize,
        /// The first key that is hidden between two that are seen.
        key: usize,
    },
    /// A mask of ranges has none for some of the queries.
    #[error(
        "the mask has ranges of keys for {ranges} positions, and {queries} queries from position {first} on need one each"
    )]
    NoKeyRange {
        /// Position of the first query.
        first: isize,
        /// How many queries there are.
        queries: usize,
        /// How many positions have a range.
        ranges: usize,
    },
    /// An operand has more positions, or a result more values, than can be counted or held.
    #[error("{operand} is too large to be held in memory")]
    TooLarge {
        /// The operand or result.
        operand: &'static str,
    },
    /// The cumulative lengths of packed sequences do not begin with 0.
    #[error("{list} begin with {first}; they must begin with 0, where the first sequence does")]
    CumulativeLengthsStart {
        /// Whose they are.
        list: &'static str,
        /// The first entry.
        first: usize,
    },
    /// The cumulative lengths of packed sequences fall.
    #[error("{list} fall from {before} to {length} at entry {at}; they must never fall")]
    CumulativeLengthsFall {
        /// Whose they are.
        list: &'static str,
        /// Which entry is less than the one before it, counted from 0.
        at: usize,
        /// The entry before it.
        before: usize,
        /// The entry.
        length: usize,
    },
    /// The cumulative lengths of packed sequences do not end where the tokens do.
    #[error(
        "{list} end with {last}, but there are {tokens} tokens; they must end where the tokens do: slice an array that has more"
    )]
    CumulativeLengthsEnd {
        /// Whose they are.
        list: &'static str,
        /// The last entry.
        last: usize,
        /// How many queries or keys there are.
        tokens: usize,
    },
    /// An option that packed sequences of different lengths cannot share.
    #[error("{option} cannot be given for packed sequences; {instead}")]
    NotForSequences {
        /// The option.
        option: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The processor lacks the instruction set that was asked for.
    #[error(transparent)]
    UnavailableInstructionSet(#[from] UnavailableInstructionSet),
    /// A gradient is asked for of an option that the scoring does not have.
    #[error("{gradient} is given to write to, but the scoring has no {option}; give None")]
    NothingToDerive {
        /// The gradient.
        gradient: &'static str,
        /// The option that it would be the gradient of.
        option: &'static str,
    },
}
