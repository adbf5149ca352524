//! Calls outside what a function asks panic with their values, and others do not.
#![cfg(debug_assertions)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use half::{bf16, f16};

use lookback_simd::{Emulated, InstructionSet, Isa, Kernel, Line, RegisterTile, multiply};

/// A call that may not keep to what a function asks.
#[derive(Debug, Clone, Copy)]
enum Call {
    Load,
    LoadF16,
    LoadBf16,
    Store,
    Part,
    PartMut,
    Ldexp(f32, f32),
    ShortStrip,
    UnevenPanels,
}

impl Kernel for Call {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (lanes, rows) = (I::LANES, I::WideTile::ROWS);
        let (mut one, zero) = (Line::ZERO, isa.splat(0.0));
        let lines = vec![Line::ZERO; 2 * rows.max(20)];
        let mut sink = [0.0; 16];
        match self {
            Call::Load => isa.store(isa.load(&one.0[..lanes - 1]), &mut sink),
            Call::LoadF16 => isa.store(isa.load_f16(&[f16::ONE; 16][..lanes - 1]), &mut sink),
            Call::LoadBf16 => isa.store(isa.load_bf16(&[bf16::ONE; 16][..lanes - 1]), &mut sink),
            Call::Store => isa.store(zero, &mut sink[..lanes - 1]),
            Call::Part => sink[0] = one.part(Line::LEN / lanes, lanes)[0],
            Call::PartMut => one.part_mut(Line::LEN / lanes, lanes)[0] = 1.0,
            Call::Ldexp(p, n) => {
                // In one lane alone, the last.
                let (mut of_p, mut of_n) = (Line([1.0; 16]), Line::ZERO);
                (of_p.0[lanes - 1], of_n.0[lanes - 1]) = (p, n);
                isa.store(isa.ldexp(isa.load(&of_p.0), isa.load(&of_n.0)), &mut sink);
            }
            Call::ShortStrip => {
                // Depth 17: two pieces of `rows` lines.
                let tile =
                    multiply::<I, I::WideTile>(isa, &lines[..2 * rows - 1], [&lines[..17]; 2]);
                isa.store(tile.row(0).as_ref()[0], &mut sink);
            }
            Call::UnevenPanels => {
                let panels = [&lines[..17], &lines[..16]];
                let tile = multiply::<I, I::WideTile>(isa, &lines, panels);
                isa.store(tile.row(0).as_ref()[0], &mut sink);
            }
        }
        std::hint::black_box((sink, one));
    }
}

/// What is said of `call` on every instruction set and two emulated shapes; `None` where nothing is.
fn describe(call: Call) -> Vec<Option<String>> {
    let message = |run: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
        Some(*panic.downcast::<String>().expect("a message with values"))
    };
    let sets = InstructionSet::available().into_iter();
    let mut said: Vec<_> = sets.map(|set| message(&|| set.run(call))).collect();
    said.push(message(&|| Emulated::<1, 3, 16, 16>.run(call)));
    said.push(message(&|| Emulated::<8, 6, 2, 2>.run(call)));
    said
}

/// As [`describe`], where all are to say something.
fn rejected(call: Call) -> Vec<String> {
    let said = describe(call).into_iter();
    said.map(|message| message.unwrap_or_else(|| panic!("{call:?} passed")))
        .collect()
}

#[test]
fn an_access_beyond_its_slice_panics_with_its_values() {
    for (call, access) in [
        (Call::Load, "load of f32: "),
        (Call::LoadF16, "load of f16: "),
        (Call::LoadBf16, "load of bf16: "),
        (Call::Store, "store of f32: "),
    ] {
        for message in rejected(call) {
            let (lanes, found) = message
                .strip_prefix(access)
                .and_then(|rest| rest.split_once(" lanes, but the slice holds "))
                .unwrap_or_else(|| panic!("{message}"));
            let number = |text: &str| text.parse::<usize>().expect("a number");
            assert_eq!(number(found) + 1, number(lanes), "{message}");
        }
    }
    for call in [Call::Part, Call::PartMut] {
        for message in rejected(call) {
            assert!(message.starts_with("part of a line: part "), "{message}");
        }
    }
}

#[test]
fn a_product_of_operands_that_do_not_fit_panics() {
    for message in rejected(Call::UnevenPanels) {
        assert!(
            message.starts_with("product: panels of 17 and 16 lines"),
            "{message}"
        );
    }
    for message in rejected(Call::ShortStrip) {
        let (_, strip) = message.split_once("a strip of ").expect("the strip");
        let numbers: Vec<usize> = strip
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [lines, rows, stride, needed] = numbers[..] else {
            panic!("{message}");
        };
        assert_eq!(
            (lines + 1, stride, 2 * rows),
            (needed, rows, needed),
            "{message}"
        );
    }
}

#[test]
fn ldexp_is_held_to_its_domain() {
    let nan = f32::NAN;
    for (p, n) in [
        (2.0, 0.0),
        (0.49, 0.0),
        (0.0, 0.0),
        (f32::INFINITY, 0.0),
        (1.0, 0.5),
        (1.0, -151.0),
        (nan, 1.0),
    ] {
        for message in rejected(Call::Ldexp(p, n)) {
            let begin = format!("ldexp: {p:e} · 2^{n}, but |p| must be");
            assert!(message.starts_with(&begin), "{p} {n}: {message}");
        }
    }
    for (p, n) in [
        (0.5, 0.0),
        (-1.999_999_9, 128.0),
        (1.0, -127.0),
        (nan, nan),
        (1.0, nan),
        (1.0, 129.0),
        (nan, f32::INFINITY),
    ] {
        let said = describe(Call::Ldexp(p, n));
        assert!(said.iter().all(Option::is_none), "{p} {n}: {said:?}");
    }
}
