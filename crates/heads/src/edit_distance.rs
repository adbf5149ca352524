//! Misspelt words.

/// How many edit_distance make `word` of `wanted` (letters put in, left out, exchanged, or two neighbours swapped: the optimal
/// string alignment distance); none where there are more than one for every three letters of `wanted`, which then hardly
/// meant that word.
///
/// ```
/// use lookback_heads::edit_distance::edit_distance;
///
/// assert_eq!(edit_distance("expalin", "explain"), Some(1));
/// assert_eq!(edit_distance("he", "me"), None);
/// ```
#[must_use]
pub fn edit_distance(wanted: &str, word: &str) -> Option<usize> {
    let letters = |word: &str| word.chars().count();
    let most = letters(wanted) / 3;
    // Where the lengths alone say more, nothing is compared.
    if letters(wanted).abs_diff(letters(word)) > most {
        return None;
    }
    let edit_distance = strsim::osa_distance(wanted, word);
    (edit_distance <= most).then_some(edit_distance)
}
