//! What each head does: words, candidates and the walk through the notes.
