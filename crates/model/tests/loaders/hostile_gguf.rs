//! GGUF containers that lie about themselves.

use crate::gguf_bytes::{Entry, File, Tensor, llama, open, refusal};

fn assert_refused(file: &File, expected: &[&str]) {
    let message = file.refusal();
    for part in expected {
        assert!(message.contains(part), "{part:?} not in {message:?}");
    }
}

#[test]
fn the_file_made_by_hand_is_good() {
    let checkpoint = llama().open().expect("a good file");
    assert_eq!(checkpoint.spec().vocab, 6);
    let version_2 = File {
        version: 2,
        ..llama()
    };
    assert!(version_2.open().is_ok());
}

#[test]
fn other_files_are_not_taken_for_gguf() {
    assert!(refusal(b"").contains("does not begin with the letters GGUF"));
    assert!(refusal(b"GGU").contains("does not begin"));
    assert!(refusal(b"PK\x03\x04 and so on").contains("does not begin"));
    for version in [0, 1, 4, 1000] {
        let file = File { version, ..llama() };
        assert_refused(&file, &[&format!("version {version}"), "2 and 3"]);
    }
    let file = File {
        version: 3_u32.swap_bytes(),
        ..llama()
    };
    assert_refused(&file, &["big-endian"]);
}

/// However much of the end is missing.
#[test]
fn truncated_files_are_refused() {
    let bytes = llama().bytes();
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(open(&bytes).is_ok());
}

#[test]
fn huge_counts_are_refused_before_they_are_believed() {
    for count in [u64::MAX, 1 << 62, 1 << 32, 10_000] {
        let tensors = File {
            tensor_count: Some(count),
            ..llama()
        };
        assert_refused(&tensors, &[&count.to_string(), "tensors"]);
        let entries = File {
            entry_count: Some(count),
            ..llama()
        };
        assert_refused(&entries, &[&count.to_string(), "metadata entries"]);
    }
    // Counts that are only a little wrong end in some other error.
    for offset in [-1, 1, 2] {
        let count = |len: usize| Some((len as u64).wrapping_add_signed(offset));
        let good = llama();
        let tensors = File {
            tensor_count: count(good.tensors.len()),
            ..good.clone()
        };
        tensors.refusal();
        let entries = File {
            entry_count: count(good.entries.len()),
            ..good
        };
        entries.refusal();
    }
}

/// A value with a length of its own choosing.
fn with_value(kind: u32, parts: &[&[u8]]) -> File {
    let mut file = llama();
    file.set("llama.rope.freq_base", Entry::Raw(kind, parts.concat()));
    file
}

#[test]
fn lengths_of_texts_and_arrays_are_checked() {
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;
    for length in [u64::MAX, 1 << 63, 1 << 40] {
        assert_refused(
            &with_value(TEXT, &[&length.to_le_bytes()]),
            &["ends within"],
        );
        for kind in [0_u32, 4, 8, 12] {
            let array = with_value(ARRAY, &[&kind.to_le_bytes(), &length.to_le_bytes()]);
            assert_refused(&array, &["array entries"]);
        }
    }
    // Texts in an array, of which the second is too long.
    let parts: [&[u8]; 4] = [
        &8_u32.to_le_bytes(),
        &2_u64.to_le_bytes(),
        &0_u64.to_le_bytes(),
        &(1_u64 << 50).to_le_bytes(),
    ];
    assert_refused(&with_value(ARRAY, &parts), &["an array's text"]);
    let nested = with_value(ARRAY, &[&ARRAY.to_le_bytes(), &1_u64.to_le_bytes()]);
    assert_refused(&nested, &["llama.rope.freq_base", "array of arrays"]);
    let unknown = with_value(ARRAY, &[&99_u32.to_le_bytes(), &1_u64.to_le_bytes()]);
    assert_refused(&unknown, &["unknown type 99"]);
}

#[test]
fn values_are_of_known_types() {
    assert_refused(&with_value(13, &[&[0; 8]]), &["unknown type 13"]);
    let mut file = llama();
    file.set("tokenizer.ggml.add_bos_token", Entry::Bool(2));
    assert_refused(&file, &["add_bos_token", "neither true nor false"]);
    let bad_text = with_value(8, &[&2_u64.to_le_bytes(), &[0xff, 0xfe]]);
    assert_refused(&bad_text, &["not UTF-8"]);
    let mut file = llama();
    file.set("general.architecture", Entry::U32(1));
    assert_refused(&file, &["general.architecture must be a text, and is 1"]);
}

#[test]
fn nothing_stands_there_twice() {
    let mut file = llama();
    file.entries
        .push(("llama.block_count".into(), Entry::U32(1)));
    assert_refused(&file, &["llama.block_count stands there twice"]);
    let mut file = llama();
    let again = file.tensor("blk.0.attn_q.weight").clone();
    file.tensors.push(again);
    assert_refused(&file, &["blk.0.attn_q.weight stands there twice"]);
}

#[test]
fn alignments_are_powers_of_two() {
    for alignment in [0, 1, 3, 4, 48, 1 << 20, u32::MAX] {
        let mut file = llama();
        file.set("general.alignment", Entry::U32(alignment));
        assert_refused(&file, &["general.alignment", &alignment.to_string()]);
    }
    let mut file = llama();
    file.set("general.alignment", Entry::Text("32"));
    assert_refused(&file, &["general.alignment", "unsigned integer"]);
    let mut file = llama();
    file.set("general.alignment", Entry::U32(8));
    assert!(file.open().is_ok());
}

fn with_tensor(change: impl Fn(&mut Tensor)) -> File {
    let mut file = llama();
    change(file.tensor("blk.0.attn_q.weight"));
    file
}

#[test]
fn dimensions_are_possible() {
    let impossible: [&[u64]; 6] = [
        &[],
        &[8, 0],
        &[1, 1, 1, 1, 1],
        &[u64::MAX, 2],
        &[1 << 32, 1 << 32],
        &[1 << 62],
    ];
    for dimensions in impossible {
        let file = with_tensor(|tensor| tensor.dimensions = dimensions.to_vec());
        assert_refused(&file, &["blk.0.attn_q.weight", "dimensions"]);
    }
    let large = with_tensor(|tensor| tensor.dimensions = vec![8, 1 << 40]);
    assert_refused(&large, &["blk.0.attn_q.weight", "cut off or damaged"]);
}

#[test]
fn tensors_lie_in_the_file_and_apart() {
    let outside = [1 << 20, !31, 1 << 63];
    for offset in outside {
        let file = with_tensor(|tensor| tensor.offset = Some(offset));
        assert_refused(&file, &["blk.0.attn_q.weight", "cut off or damaged"]);
    }
    let file = with_tensor(|tensor| tensor.offset = Some(33));
    assert_refused(
        &file,
        &["blk.0.attn_q.weight", "not a multiple of the alignment 32"],
    );
    let file = with_tensor(|tensor| tensor.offset = Some(0));
    assert_refused(
        &file,
        &["token_embd.weight", "blk.0.attn_q.weight", "overlap"],
    );
}

#[test]
fn types_that_cannot_be_read_are_named_with_those_that_can() {
    for (kind, name) in [(16, "IQ2_XXS"), (9, "Q8_1"), (17, "IQ2_XS"), (27, "I64")] {
        let file = with_tensor(|tensor| tensor.kind = kind);
        assert_refused(
            &file,
            &["blk.0.attn_q.weight", name, "F32, F16, Q4_0, Q4_1"],
        );
    }
    let file = with_tensor(|tensor| tensor.kind = 4000);
    assert_refused(&file, &["number 4000, which is unknown"]);
    // Rows of 8 are no whole blocks of 32.
    let file = with_tensor(|tensor| tensor.kind = 8);
    assert_refused(
        &file,
        &["blk.0.attn_q.weight", "rows of 8", "Q8_0's block of 32"],
    );
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let file = with_tensor(|tensor| tensor.data[20..24].copy_from_slice(&bad.to_le_bytes()));
        let checkpoint = file.open().expect("the header is good");
        let name = "model.layers.0.self_attn.q_proj.weight";
        // Row 0 of the file is row 0 of the matrix: interleaving moves the others.
        let expected = format!("tensor {name} holds {bad} at entry 5:");
        let whole = checkpoint.tensor_f32(name).unwrap_err().to_string();
        assert!(whole.starts_with(&expected), "{whole}");
        let blocks = checkpoint.quantized(name).unwrap_err().to_string();
        assert!(blocks.starts_with(&expected), "{blocks}");
        let row = checkpoint.rows_f32(name, &[1, 0]).unwrap_err().to_string();
        assert!(row.starts_with(&expected), "{row}");
        assert!(checkpoint.rows_f32(name, &[1]).is_ok());
    }
}

/// In a quantised tensor it is a block's scale that is NaN.
#[test]
fn scales_that_are_not_finite_are_refused_by_name() {
    let mut file = llama();
    let down = file.tensor("blk.0.ffn_down.weight");
    *down = Tensor {
        dimensions: vec![32, 8],
        kind: 8,
        data: vec![0; 8 * 34],
        ..down.clone()
    };
    down.data[3 * 34..3 * 34 + 2].copy_from_slice(&[0x00, 0x7e]);
    file.set("llama.feed_forward_length", Entry::U32(32));
    for name in ["gate", "up"] {
        let tensor = file.tensor(&format!("blk.0.ffn_{name}.weight"));
        tensor.dimensions = vec![8, 32];
        tensor.data = vec![0; 8 * 32 * 4];
    }
    let checkpoint = file.open().expect("the header is good");
    let error = checkpoint.tensor_f32("model.layers.0.mlp.down_proj.weight");
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("mlp.down_proj.weight holds NaN at entry 96"),
        "{message}"
    );
}

#[test]
fn pipes_directories_and_missing_files_are_refused() {
    use lookback_model::checkpoint::Checkpoint;
    use std::path::Path;
    let refusal = |path: &Path| {
        Checkpoint::open(path)
            .err()
            .expect("no checkpoint")
            .to_string()
    };
    assert!(refusal(Path::new("/no/such/model.gguf")).contains("cannot read /no/such/model.gguf"));
    #[cfg(unix)]
    assert!(refusal(Path::new("/dev/zero")).contains("not a regular file"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    std::fs::write(&file, b"x").unwrap();
    assert!(refusal(&file).contains("give a .gguf file, or a folder"));
}
