//! Misspelt words.

/// How many slips make `word` of `wanted` (letters put in, left out, exchanged, or two neighbours swapped: the optimal
/// string alignment distance); none where there are more than one for every three letters of `wanted`, which then hardly
/// meant that word.
///
/// ```
/// use lookback_heads::slips::slips;
///
/// assert_eq!(slips("expalin", "explain"), Some(1));
/// assert_eq!(slips("he", "me"), None);
/// ```
#[must_use]
pub fn slips(wanted: &str, word: &str) -> Option<usize> {
    let letters = |word: &str| word.chars().count();
    let most = letters(wanted) / 3;
    // Where the lengths alone say more, nothing is compared.
    if letters(wanted).abs_diff(letters(word)) > most {
        return None;
    }
    let slips = strsim::osa_distance(wanted, word);
    (slips <= most).then_some(slips)
}
