//! Sentences of two people, one who does something and one who does not, and a pronoun that refers to one of them.
//!
//! *Vatsal studies a lot, Madd does not. Yet he gets high scores in test.* Names, topics and templates are drawn by a
//! seed; each draw gives all its swapped forms ([`Draw::forms`]): the names change places, the negation changes sides,
//! *Yet* and *So* take turns. So neither a position nor a name nor any word by itself gives the answer, which the
//! module's tests prove; what does is how negation, connective and place go together.
//!
//! The outcome is a good one, and stands after the pronoun, where a causal model's row of the pronoun cannot see it:
//! all that decides comes before it. In the second set ([`Set::Outcome`]) outcomes are good and bad in turn; from the
//! pronoun's row it cannot be answered, from the last token's it can.

mod draw;
mod item;
mod names;
mod shortcuts;
mod split;
mod templates;
mod topics;

pub use draw::{draw, notes};
pub use item::{Connective, Draw, Item, ReadFrom, Set};
pub use names::Pronoun;
pub use shortcuts::{Shortcut, shortcuts};
pub use split::Split;
pub use templates::Template;
pub use topics::Topic;
