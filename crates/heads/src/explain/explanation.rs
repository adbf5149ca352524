//! What an explanation holds: everything that a terminal or a page needs to draw it.

use serde::Serialize;

/// One head of a model on one text, step by step in the order of the notes on self-attention (`docs/notes.md`).
///
/// Serialised, it is what `lookback explain --json` prints; `docs/json/explain.md` describes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Name of this form.
    pub format: &'static str,
    /// The model.
    pub model: String,
    /// The text.
    pub text: String,
    /// What each token stands for, the prefix's first.
    pub tokens: Vec<String>,
    /// How many of them are the prefix's.
    pub prefix_tokens: usize,
    /// The layer, from 0.
    pub layer: usize,
    /// The query head, from 0.
    pub head: usize,
    /// The key/value head that it reads, from 0.
    pub kv_head: usize,
    /// The sizes.
    pub dimensions: Dimensions,
    /// The word whose row is followed.
    pub word: FollowedWord,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The row of weights that comes out: what the head gives each token at the word's row, and each candidate.
    pub outcome: Outcome,
    /// The largest difference of any check, with its allowance; see [`Check`].
    pub worst_check: Option<Check>,
}

/// The sizes of one attention layer, in the field's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dimensions {
    /// N, the number of tokens.
    pub n: usize,
    /// d, the model dimension.
    pub d: usize,
    /// d_k, the head dimension of queries and keys.
    pub d_k: usize,
    /// d_v, that of values.
    pub d_v: usize,
    /// H, the query heads of a layer.
    pub heads: usize,
    /// H_kv, its key/value heads.
    pub kv_heads: usize,
    /// How many layers the model has.
    pub layers: usize,
}

/// The word whose row of weights is followed through all steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FollowedWord {
    /// The word: `he`, or `he#2` where it occurs more than once.
    pub label: String,
    /// Its tokens.
    pub tokens: Vec<usize>,
    /// The token whose row is followed: the word's last, which has read all of it.
    pub token: usize,
}

/// What the head makes of the followed token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The weight of the followed token on itself.
    pub self_weight: f64,
    /// Its place among the weights of the row, from 1, the prefix excluded.
    pub self_rank: usize,
    /// The mean weight of the text's tokens on themselves in this head.
    pub mean_self_weight: f64,
    /// The weight on the prefix.
    pub sink_share: f64,
    /// The weight on each candidate for what the word refers to, summed over its tokens.
    pub candidates: Vec<CandidateWeight>,
}

/// What one candidate gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateWeight {
    /// The candidate.
    pub text: String,
    /// Those of its tokens that the followed one sees.
    pub tokens: Vec<usize>,
    /// Its weight in this head.
    pub weight: f64,
    /// Its weight by similarity of the raw embeddings alone, softmax(x_i·x_j) over the tokens before: the notes' first
    /// formula.
    pub similarity_weight: f64,
    /// The same with the scores divided by √d, softmax(x_i·x_j/√d).
    pub similarity_scaled_weight: f64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// A short name that does not change: `embeddings`, `similarity`, `input`, `norm`, `query`, `key`, `value`,
    /// `rope`, `scores`, `scale`, `soft_cap`, `distance`, `mask`, `softmax`, `weighted_sum`, `concat`, `output`, `residual`; steps
    /// that the model does not take are left out.
    pub id: &'static str,
    /// Its name.
    pub name: String,
    /// Its formula, written as in the notes.
    pub formula: String,
    /// The shapes of its operands and results.
    pub shapes: Vec<Shapes>,
    /// What happens, with this text's numbers; whole sentences.
    pub says: Vec<String>,
    /// Where the model differs from the notes here.
    pub departs: Option<String>,
    /// The first entries of the matrices.
    pub matrices: Vec<Excerpt>,
    /// The followed token's row, one value a token.
    pub row: Vec<Column>,
    /// How the model's own computation (f32, fused kernel) compares with the step taken in f64.
    pub checks: Vec<Check>,
}

/// Shapes of a product or another operation, in letters and numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shapes {
    /// In letters: `N×d · d×k = N×k`.
    pub letters: String,
    /// In numbers: `21×576 · 576×64 = 21×64`.
    pub numbers: String,
}

/// Part of a matrix: some rows, some columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Excerpt {
    /// Its letter: `Q`.
    pub symbol: String,
    /// What its rows and columns are.
    pub meaning: String,
    /// Shape of the whole matrix.
    pub shape: [usize; 2],
    /// Which rows are here, ascending.
    pub rows: Vec<usize>,
    /// Names of these rows; the numbers themselves where a row has none.
    pub row_labels: Vec<String>,
    /// Which columns are here, ascending.
    pub columns: Vec<usize>,
    /// Names of these columns.
    pub column_labels: Vec<String>,
    /// The values, row by row; none (in JSON null) for −∞, a score that the mask hides.
    pub values: Vec<Vec<Option<f64>>>,
}

/// One value for every token, at the followed token's row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// A short name that does not change: `dot`, `scaled`, `masked`, `weight`, `length`, `contribution`.
    pub id: &'static str,
    /// What is shown above it.
    pub name: String,
    /// The values; none for −∞.
    pub values: Vec<Option<f64>>,
}

/// A comparison of what the model computed (f32, fused kernel) with the step by step computation in f64.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was compared.
    pub what: String,
    /// How many numbers.
    pub compared: usize,
    /// The largest absolute difference.
    pub largest_difference: f64,
    /// The largest absolute value in the f64 computation, against which the difference is to be seen.
    pub largest_value: f64,
    /// The largest difference that counts as agreement: 2e-4 × max(1, `largest_value`), the agreement asked of the
    /// model's weights as well.
    pub allowed: f64,
    /// Whether they agree. Never where a number is not finite on one side only.
    pub agrees: bool,
}

impl Explanation {
    /// The step with this [`id`](Step::id).
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}
