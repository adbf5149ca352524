//! Choosing an instruction set at run time.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::emulated::Portable;
use crate::isa::{Isa, Kernel};
#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512};

/// The processor lacks the instruction set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this processor cannot run the {name} kernels; choose one of those that `InstructionSet::available` lists"
)]
pub struct UnavailableInstructionSet {
    /// The name as given.
    pub name: String,
}

/// The highest [`InstructionSet::rank`] that [`InstructionSet::best`] may choose.
static HIGHEST: AtomicU8 = AtomicU8::new(u8::MAX);

/// An instruction set that this processor can run.
///
/// Libraries choose the [best](InstructionSet::best) by themselves; tests and measurements choose others, and a program
/// [restricts](InstructionSet::restrict) what is chosen everywhere.
///
/// ```
/// use lookback_simd::InstructionSet;
/// assert!(InstructionSet::available().contains(&InstructionSet::best()));
/// assert_eq!(InstructionSet::named("portable")?.name(), "portable");
/// # Ok::<(), lookback_simd::UnavailableInstructionSet>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct InstructionSet(Token);

/// One token for each instruction set; holding one proves that the processor has it.
#[derive(Debug, Clone, Copy)]
enum Token {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl InstructionSet {
    /// Every instruction set that this processor can run, the best first.
    pub fn available() -> Vec<InstructionSet> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(Avx512::new().map(Token::Avx512));
            sets.extend(Avx2::new().map(Token::Avx2));
        }
        sets.push(Token::Portable(Portable::default()));
        sets.into_iter().map(InstructionSet).collect()
    }

    /// The best that this processor can run, and that [`restrict`](InstructionSet::restrict) allows.
    pub fn best() -> InstructionSet {
        #[cfg(target_arch = "x86_64")]
        {
            let allowed = |set: &InstructionSet| set.rank() <= HIGHEST.load(Ordering::Relaxed);
            let avx512 = Avx512::new().map(|isa| InstructionSet(Token::Avx512(isa)));
            if let Some(set) = avx512.filter(allowed) {
                return set;
            }
            let avx2 = Avx2::new().map(|isa| InstructionSet(Token::Avx2(isa)));
            if let Some(set) = avx2.filter(allowed) {
                return set;
            }
        }
        InstructionSet(Token::Portable(Portable::default()))
    }

    /// From now on [`best`](InstructionSet::best) chooses this one or a lesser one, in the whole process: for measurements that
    /// stand for other machines, and for the same bits on several.
    ///
    /// Call it before anything is computed: what is running keeps its choice.
    pub fn restrict(self) {
        HIGHEST.store(self.rank(), Ordering::Relaxed);
    }

    /// The more it can do at once, the higher.
    fn rank(&self) -> u8 {
        match self.0 {
            Token::Portable(_) => 0,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => 2,
        }
    }

    /// The one of that [name](InstructionSet::name).
    ///
    /// # Errors
    /// [`UnavailableInstructionSet`] if this processor has none of that name.
    pub fn named(name: &str) -> Result<InstructionSet, UnavailableInstructionSet> {
        let mut sets = InstructionSet::available();
        match sets.iter().position(|set| set.name() == name) {
            Some(at) => Ok(sets.swap_remove(at)),
            None => Err(UnavailableInstructionSet {
                name: name.to_owned(),
            }),
        }
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(&self) -> &'static str {
        match self.0 {
            Token::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => "avx512",
        }
    }

    /// Runs a computation on it.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Token::Portable(isa) => isa.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(isa) => isa.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(isa) => isa.run(kernel),
        }
    }
}

impl PartialEq for InstructionSet {
    fn eq(&self, other: &InstructionSet) -> bool {
        self.name() == other.name()
    }
}

impl Eq for InstructionSet {}
