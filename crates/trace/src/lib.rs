//! What one run of a model leaves behind: queries, keys and log-sum-exps, from which any weight is recomputed.
