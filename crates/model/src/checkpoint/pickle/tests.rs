//! Hostile archives and pickles.

use std::collections::HashMap;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Copies, Fault, read_bytes};
use crate::checkpoint::StoredType;
use crate::checkpoint::weights::StoredTensor;
use crate::families::FAMILIES;

fn zipped(entries: &[(&str, &[u8])], compression: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An archive with this pickle and one storage `0` of four f32: 0, 1, 2, 3.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = (0..4_u8).flat_map(|n| f32::from(n).to_le_bytes()).collect();
    zipped(
        &[
            ("model/data.pkl", pickle),
            ("model/byteorder", b"little"),
            ("model/data/0", &numbers),
        ],
        CompressionMethod::Stored,
    )
}

/// Tensors by name, and the bytes that were put together for them.
type Read = (HashMap<String, StoredTensor>, Vec<Vec<u8>>);

fn read(file: &[u8]) -> Result<Read, Fault> {
    let mut copies = Copies {
        next: 1,
        bytes: Vec::new(),
        left: Copies::of_file(file.len()),
    };
    let tensors = read_bytes(file, 0, FAMILIES[0], &mut copies)?;
    Ok((tensors, copies.bytes))
}

fn fault(pickle: &[u8]) -> String {
    match read(&archive(pickle)) {
        Ok((tensors, _)) => panic!("it was taken to be good: {:?}", tensors.keys()),
        Err(Fault(detail)) => {
            assert!(detail.len() < 600, "{detail}");
            detail
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![b'X'];
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

fn number(number: i64) -> Vec<u8> {
    let mut bytes = vec![0x8a, 8];
    bytes.extend(number.to_le_bytes());
    bytes
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [&[b'('][..], &parts.concat(), b"t"].concat()
}

fn numbers(values: &[i64]) -> Vec<u8> {
    tuple(
        &values
            .iter()
            .map(|&value| number(value))
            .collect::<Vec<_>>(),
    )
}

struct Tensor<'a> {
    class: &'a str,
    key: &'a str,
    entries: i64,
    offset: i64,
    shape: &'a [i64],
    strides: &'a [i64],
}

/// The first two of the storage's four numbers.
const GOOD: Tensor = Tensor {
    class: "FloatStorage",
    key: "0",
    entries: 4,
    offset: 0,
    shape: &[2],
    strides: &[1],
};

impl Tensor<'_> {
    fn pickled(&self) -> Vec<u8> {
        let class = format!("ctorch\n{}\n", self.class).into_bytes();
        let id = tuple(&[
            text("storage"),
            class,
            text(self.key),
            text("cpu"),
            number(self.entries),
        ]);
        let arguments = tuple(&[
            [id, vec![b'Q']].concat(),
            number(self.offset),
            numbers(self.shape),
            numbers(self.strides),
            vec![0x89],
            b"ccollections\nOrderedDict\n)R".to_vec(),
        ]);
        [
            b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(),
            arguments,
            vec![b'R'],
        ]
        .concat()
    }
}

/// A pickle of a dictionary of these values, whose names are `a`, `b`, ….
fn dictionary(values: &[Vec<u8>]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for (name, value) in (b'a'..).zip(values) {
        pickle.extend(text(&char::from(name).to_string()));
        pickle.extend(value);
    }
    pickle.extend(b"u.");
    pickle
}

#[test]
fn tensors_are_found_where_they_lie() {
    let middle = Tensor {
        offset: 1,
        shape: &[1, 2],
        strides: &[9, 1],
        ..GOOD
    };
    let transposed = Tensor {
        shape: &[2, 2],
        strides: &[1, 2],
        ..GOOD
    };
    let halves = Tensor {
        class: "BFloat16Storage",
        entries: 8,
        shape: &[8],
        ..GOOD
    };
    let file = archive(&dictionary(
        &[middle, transposed, halves].map(|tensor| tensor.pickled()),
    ));
    let (tensors, copies) = read(&file).unwrap();
    let one_and_two = [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat();
    assert_eq!(file[tensors["a"].bytes.clone()], one_and_two);
    assert_eq!(tensors["a"].shape, [1, 2]);
    let in_order: Vec<u8> = [0.0_f32, 2.0, 1.0, 3.0]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    assert_eq!((tensors["b"].file, &copies), (1, &vec![in_order]));
    assert_eq!(
        (tensors["c"].dtype, tensors["c"].bytes.len()),
        (StoredType::BF16, 16)
    );
    // Of two entries with one name the last counts.
    let twice = [
        b"\x80\x02}(".to_vec(),
        text("a"),
        GOOD.pickled(),
        text("a"),
        Tensor { offset: 2, ..GOOD }.pickled(),
        b"u.".to_vec(),
    ]
    .concat();
    let file = archive(&twice);
    let (tensors, _) = read(&file).unwrap();
    assert_eq!(file[tensors["a"].bytes.start..][..4], 2.0_f32.to_le_bytes());
}

#[test]
fn a_pickle_runs_nothing() {
    let calls: [&[u8]; 5] = [
        b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lst R.",
        b"\x80\x02cposix\nsystem\n.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"\x80\x02ctorch\nload\n.",
        b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n.",
    ];
    for (call, name) in calls.into_iter().zip([
        "os.system",
        "posix.system",
        "builtins.eval",
        "torch.load",
        "torch._utils._rebuild_sparse_tensor",
    ]) {
        let said = fault(call);
        assert!(
            said.contains(name) && said.contains("nothing of it was run"),
            "{said}"
        );
    }
    // Instructions that make or call other objects.
    for code in *b"\x81\x92io\x82\x97PF" {
        let said = fault(&[0x80, 2, b')', b')', code, b'.']);
        assert!(said.contains("which no state dictionary needs"), "{said}");
    }
    // What is known is called with what belongs to it, and by itself only.
    for pickle in [
        &b"ccollections\nOrderedDict\n(}tR."[..],
        b"ctorch\nFloatStorage\n)R.",
        b"ctorch._utils\n_rebuild_parameter\n(Nt R.",
        b"K\x01)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ccollections\nOrderedDict\n}b.",
    ] {
        fault(pickle);
    }
}

#[test]
fn tensors_that_reach_out_of_their_storage_are_refused() {
    let cases = [
        (Tensor { offset: 3, ..GOOD }, "reaches out of its storage"),
        (Tensor { offset: -1, ..GOOD }, "malformed"),
        (
            Tensor {
                offset: i64::MAX,
                ..GOOD
            },
            "reaches out of its storage",
        ),
        (
            Tensor {
                shape: &[-2],
                ..GOOD
            },
            "malformed",
        ),
        (
            Tensor {
                strides: &[i64::MAX],
                ..GOOD
            },
            "reaches out of its storage",
        ),
        (
            Tensor {
                shape: &[i64::MAX, i64::MAX],
                strides: &[0, 0],
                ..GOOD
            },
            "reaches out of its storage",
        ),
        (
            Tensor {
                shape: &[1 << 40],
                strides: &[0],
                ..GOOD
            },
            "share storages",
        ),
        (
            Tensor {
                shape: &[2, 2],
                ..GOOD
            },
            "malformed",
        ),
        (
            Tensor {
                shape: &[1; 9],
                strides: &[1; 9],
                ..GOOD
            },
            "malformed",
        ),
        (
            Tensor {
                shape: &[],
                strides: &[],
                ..GOOD
            },
            "no matrix or vector",
        ),
        (
            Tensor {
                shape: &[0],
                ..GOOD
            },
            "no matrix or vector",
        ),
        (
            Tensor { entries: 5, ..GOOD },
            "is of 5 entries and has 16 bytes",
        ),
        (
            Tensor {
                entries: -1,
                ..GOOD
            },
            "is of -1 entries",
        ),
        (Tensor { key: "1", ..GOOD }, "no bytes of the storage 1"),
        (
            Tensor {
                class: "LongStorage",
                entries: 2,
                ..GOOD
            },
            "is of type LongStorage",
        ),
        (
            Tensor {
                class: "TypedStorage",
                ..GOOD
            },
            "torch.TypedStorage",
        ),
    ];
    for (tensor, expected) in cases {
        let said = fault(&dictionary(&[tensor.pickled()]));
        assert!(said.contains(expected), "{said}");
    }
    // Tensors that nobody needs may be of any type.
    let ignored = [
        b"}".to_vec(),
        text("model.layers.0.self_attn.rotary_emb.inv_freq"),
        Tensor {
            class: "LongStorage",
            entries: 2,
            ..GOOD
        }
        .pickled(),
        b"s.".to_vec(),
    ]
    .concat();
    assert!(read(&archive(&ignored)).unwrap().0.is_empty());
}

#[test]
fn what_is_no_dictionary_of_tensors_is_refused() {
    let cases: [(Vec<u8>, &str); 9] = [
        (b"\x80\x02].".to_vec(), "no dictionary of tensors"),
        (b"\x80\x02.".to_vec(), "no dictionary of tensors"),
        (dictionary(&[number(3)]), "has a, which is no tensor"),
        (dictionary(&[dictionary(&[])]), "no dictionary of tensors"),
        (
            [b"}".to_vec(), number(1), GOOD.pickled(), b"s.".to_vec()].concat(),
            "no text",
        ),
        // A dictionary within itself.
        (
            b"}q\x00X\x01\x00\x00\x00ah\x00s.".to_vec(),
            "has a, which is no tensor",
        ),
        (b"h\x05.".to_vec(), "malformed"),
        (b"u.".to_vec(), "malformed"),
        (b"\x8a\x09123456789.".to_vec(), "more than 64 bits"),
    ];
    for (pickle, expected) in cases {
        let said = fault(&pickle);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_pickle_builds_within_limits() {
    let most = 1 << 20;
    let many = |unit: &[u8]| [unit.repeat(most + 1), b".".to_vec()].concat();
    for unit in [&b"}"[..], b")", b"N", b"(", b"]"] {
        let said = fault(&many(unit));
        assert!(said.contains("more than"), "{said}");
    }
    // Values within values, as deep as the limit allows, end without a word of recursion.
    let deep = [b")".to_vec(), vec![0x85; most - 10], b".".to_vec()].concat();
    assert!(fault(&deep).contains("no dictionary"));
    // Many tuples of one remembered value.
    let wide = [
        b"Nq\x00".to_vec(),
        [&b"("[..], &b"h\x00".repeat(1000), b"t0"]
            .concat()
            .repeat(5000),
        b".".to_vec(),
    ]
    .concat();
    assert!(fault(&wide).contains("more than"));
    // Tensors that share a storage ask for more than the file has.
    let shared: Vec<_> = (0..26)
        .map(|_| {
            Tensor {
                shape: &[4],
                ..GOOD
            }
            .pickled()
        })
        .collect();
    let lone = read(&archive(&dictionary(&shared[..2])));
    assert_eq!(lone.unwrap().0.len(), 2);
    let numbers = vec![0_u8; 1 << 16];
    let big = Tensor {
        entries: 1 << 14,
        shape: &[1 << 14],
        ..GOOD
    }
    .pickled();
    let big = dictionary(&vec![big; 10]);
    let file = zipped(
        &[("m/data.pkl", &big), ("m/data/0", &numbers)],
        CompressionMethod::Stored,
    );
    assert!(matches!(read(&file), Err(Fault(said)) if said.contains("share storages")));
}

#[test]
fn archives_of_other_kinds_are_refused() {
    let good = dictionary(&[GOOD.pickled()]);
    let numbers = [0_u8; 16];
    let said = |entries: &[(&str, &[u8])], compression| match read(&zipped(entries, compression)) {
        Ok(_) => panic!("it was taken to be good"),
        Err(Fault(said)) => said,
    };
    let stored = CompressionMethod::Stored;
    let cases = [
        (said(&[("m/data/0", &numbers)], stored), "no data.pkl"),
        (
            said(&[("m/data.pkl", &good), ("n/data.pkl", &good)], stored),
            "two pickles",
        ),
        (
            said(&[("m/data.pkl", &good), ("n/data/0", &numbers)], stored),
            "no bytes of the storage 0",
        ),
        (
            said(&[("m/data.pkl", &good), ("m/byteorder", b"big")], stored),
            "highest byte first",
        ),
        (
            said(&[("m/data.pkl", &good)], CompressionMethod::Deflated),
            "is compressed",
        ),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said}");
    }
    // What PyTorch wrote before it wrote archives.
    let old = read(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.");
    assert!(matches!(old, Err(Fault(said)) if said.contains("PyTorch before version 1.6")));
}

#[test]
fn what_is_no_archive_says_so() {
    for file in [&b""[..], b"<html>", b"version https://example.com/spec/v1"] {
        assert!(matches!(read(file), Err(Fault(said)) if said.contains("fetched whole")));
    }
}

/// One key of 100,000 bytes that is put in again and again would be copied as often.
#[test]
fn a_name_has_a_length() {
    let dictionary = |bytes: usize| {
        // An empty dictionary, one text as a key, nothing as its value.
        let mut pickle = b"\x80\x02}X".to_vec();
        pickle.extend_from_slice(&(bytes as u32).to_le_bytes());
        pickle.extend(std::iter::repeat_n(b'n', bytes));
        pickle.extend_from_slice(b"Ns.");
        pickle
    };
    assert!(fault(&dictionary(4097)).contains("a key of its dictionary has 4097 bytes"));
    assert!(fault(&dictionary(4096)).contains("which is no tensor"));
}
