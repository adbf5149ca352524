//! A template's statements and expressions.
//!
//! What repeats at one level (`a + b + c`, `x.y.z`, `not not a`) is a list and not a tree: evaluating and dropping
//! a template goes down by recursion, and only where its text nests.

use std::rc::Rc;

use super::value::Value;

pub(super) type Block = Vec<Statement>;

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Write(Expression),
    /// Conditions with what follows each; and what follows none.
    If(Vec<(Expression, Block)>, Block),
    For(Box<For>),
    Set(Target, Expression),
    SetBlock(Target, Vec<Call>, Block),
    With(Vec<(Target, Expression)>, Block),
    Macro(Macro),
    /// `{% call(…) f(…) %}`: what `caller` stands for, and the call.
    Call(Macro, Expression),
    Filter(Vec<Call>, Block),
    /// A block with variables of its own.
    Scope(Block),
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expression,
    pub(super) condition: Option<Expression>,
    pub(super) recursive: bool,
    pub(super) body: Block,
    pub(super) otherwise: Block,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Rc<str>,
    pub(super) parameters: Vec<(Rc<str>, Option<Expression>)>,
    pub(super) body: Block,
    /// Whether the body names `varargs` and `kwargs`, and so takes arguments that have no name here.
    pub(super) takes_more: (bool, bool),
}

/// What a value is bound to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Rc<str>),
    Attribute(Rc<str>, Rc<str>),
    Several(Vec<Target>),
}

#[derive(Debug)]
pub(super) enum Expression {
    Constant(Value),
    Name(Rc<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    /// What stands behind an operand, in order.
    Behind(Box<Expression>, Vec<Behind>),
    /// Signs before an operand, the nearest last.
    Signs(Vec<Sign>, Box<Expression>),
    /// `a + b - c`: operators of one level, from the left.
    Chain(Box<Expression>, Vec<(Operator, Expression)>),
    /// `a ~ b ~ c`.
    Join(Vec<Expression>),
    /// `a < b <= c`: each with the next.
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    /// `a if b else c if d else e`: the value, and conditions with what stands for all before them where they fail.
    Conditional(Box<Expression>, Vec<(Expression, Option<Expression>)>),
}

#[derive(Debug)]
pub(super) enum Behind {
    Attribute(Rc<str>),
    Item(Expression),
    /// Start, stop, step.
    Slice(Box<[Option<Expression>; 3]>),
    Call(Arguments),
    Filter(Call),
    /// Whether it is to hold, and the test.
    Test(bool, Call),
}

/// A filter or test with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: Rc<str>,
    pub(super) arguments: Arguments,
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expression>,
    pub(super) named: Vec<(Rc<str>, Expression)>,
    /// `*list` and `**mapping`.
    pub(super) more: Option<Box<Expression>>,
    pub(super) more_named: Option<Box<Expression>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Minus,
    Plus,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Floor,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
}
