//! What the sentences are about: something that one does and another does not, and what comes of it.

use super::names::Pronoun;

/// One activity with its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// The verb's five forms: base, third person, past, participle, gerund.
    verb: &'static str,
    /// What stands after the verb.
    rest: &'static str,
    /// The outcome for whoever does it, `[plural|singular]` where they differ.
    good: &'static str,
    /// The outcome for whoever does not.
    bad: &'static str,
}

/// A form of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Base,
    Third,
    Past,
    Participle,
    Gerund,
}

impl Topic {
    const fn new(
        verb: &'static str,
        rest: &'static str,
        good: &'static str,
        bad: &'static str,
    ) -> Self {
        Self {
            verb,
            rest,
            good,
            bad,
        }
    }

    /// The topics of training, or those held out.
    #[must_use]
    pub fn all(held_out: bool) -> &'static [Topic] {
        if held_out { HELD_OUT } else { TRAINING }
    }

    pub(super) fn verb(&self, form: Form) -> &'static str {
        self.verb.split(' ').nth(form as usize).unwrap_or(self.verb)
    }

    pub(super) fn rest(&self) -> &'static str {
        self.rest
    }

    /// The outcome that is expected of whoever does it, or of whoever does not.
    pub(super) fn outcome(&self, good: bool, pronoun: Pronoun) -> String {
        pronoun.inflect(if good { self.good } else { self.bad })
    }
}

const TRAINING: &[Topic] = &[
    Topic::new(
        "work works worked worked working",
        "hard",
        "[earn|earns] a good salary",
        "[earn|earns] a poor salary",
    ),
    Topic::new(
        "exercise exercises exercised exercised exercising",
        "daily",
        "[feel|feels] strong",
        "[feel|feels] weak",
    ),
    Topic::new(
        "read reads read read reading",
        "many books",
        "[know|knows] a lot",
        "[know|knows] very little",
    ),
    Topic::new(
        "plan plans planned planned planning",
        "ahead",
        "[finish|finishes] on time",
        "[finish|finishes] too late",
    ),
    Topic::new(
        "listen listens listened listened listening",
        "in class",
        "[get|gets] good grades",
        "[get|gets] bad grades",
    ),
    Topic::new(
        "prepare prepares prepared prepared preparing",
        "for the exam",
        "[pass|passes] it easily",
        "[fail|fails] it badly",
    ),
    Topic::new(
        "water waters watered watered watering",
        "the garden",
        "[have|has] fresh flowers",
        "[have|has] dead flowers",
    ),
    Topic::new(
        "cook cooks cooked cooked cooking",
        "at home",
        "[eat|eats] well",
        "[eat|eats] badly",
    ),
    Topic::new(
        "check checks checked checked checking",
        "the weather",
        "[stay|stays] dry",
        "[get|gets] wet",
    ),
    Topic::new(
        "clean cleans cleaned cleaned cleaning",
        "the house",
        "[live|lives] in order",
        "[live|lives] in a mess",
    ),
    Topic::new(
        "invest invests invested invested investing",
        "wisely",
        "[grow|grows] rich",
        "[stay|stays] poor",
    ),
    Topic::new(
        "rest rests rested rested resting",
        "at night",
        "[wake|wakes] up fresh",
        "[wake|wakes] up tired",
    ),
    Topic::new(
        "walk walks walked walked walking",
        "to work",
        "[keep|keeps] fit",
        "[gain|gains] weight",
    ),
    Topic::new(
        "revise revises revised revised revising",
        "the notes",
        "[do|does] well in the quiz",
        "[do|does] poorly in the quiz",
    ),
    Topic::new(
        "repair repairs repaired repaired repairing",
        "the roof",
        "[sleep|sleeps] in a dry room",
        "[sleep|sleeps] in a damp room",
    ),
    Topic::new(
        "answer answers answered answered answering",
        "every letter",
        "[have|has] many friends",
        "[have|has] few friends",
    ),
    Topic::new(
        "help helps helped helped helping",
        "the neighbours",
        "[receive|receives] praise",
        "[receive|receives] blame",
    ),
    Topic::new(
        "follow follows followed followed following",
        "the rules",
        "[win|wins] the prize",
        "[lose|loses] the prize",
    ),
    Topic::new(
        "lock locks locked locked locking",
        "the door",
        "[feel|feels] safe",
        "[feel|feels] unsafe",
    ),
    Topic::new(
        "brush brushes brushed brushed brushing",
        "after meals",
        "[have|has] healthy teeth",
        "[have|has] bad teeth",
    ),
    Topic::new(
        "write writes wrote written writing",
        "a diary",
        "[remember|remembers] the trip",
        "[forget|forgets] the trip",
    ),
    Topic::new(
        "ask asks asked asked asking",
        "for advice",
        "[make|makes] good choices",
        "[make|makes] bad choices",
    ),
    Topic::new(
        "pay pays paid paid paying",
        "the bills",
        "[keep|keeps] the flat",
        "[lose|loses] the flat",
    ),
    Topic::new(
        "eat eats ate eaten eating",
        "fruit",
        "[stay|stays] healthy",
        "[fall|falls] ill",
    ),
    Topic::new(
        "arrive arrives arrived arrived arriving",
        "early",
        "[find|finds] a seat",
        "[find|finds] no seat",
    ),
    Topic::new(
        "build builds built built building",
        "a shelter",
        "[keep|keeps] warm",
        "[feel|feels] cold",
    ),
    Topic::new(
        "call calls called called calling",
        "the doctor",
        "[get|gets] better soon",
        "[get|gets] worse soon",
    ),
    Topic::new(
        "learn learns learned learned learning",
        "the language",
        "[understand|understands] the song",
        "[misunderstand|misunderstands] the song",
    ),
    Topic::new(
        "feed feeds fed fed feeding",
        "the hens",
        "[collect|collects] many eggs",
        "[collect|collects] few eggs",
    ),
    Topic::new(
        "sell sells sold sold selling",
        "the shares",
        "[make|makes] a profit",
        "[make|makes] a loss",
    ),
];

const HELD_OUT: &[Topic] = &[
    Topic::new(
        "study studies studied studied studying",
        "a lot",
        "[get|gets] high scores in test",
        "[get|gets] low scores in test",
    ),
    Topic::new(
        "train trains trained trained training",
        "every day",
        "[win|wins] the race",
        "[lose|loses] the race",
    ),
    Topic::new(
        "practise practises practised practised practising",
        "the piano",
        "[play|plays] very well",
        "[play|plays] very badly",
    ),
    Topic::new(
        "save saves saved saved saving",
        "money",
        "[buy|buys] a house",
        "[rent|rents] a room",
    ),
    Topic::new(
        "sleep sleeps slept slept sleeping",
        "enough",
        "[look|looks] fresh",
        "[look|looks] tired",
    ),
    Topic::new(
        "swim swims swam swum swimming",
        "in the lake",
        "[reach|reaches] the shore",
        "[miss|misses] the shore",
    ),
    Topic::new(
        "rehearse rehearses rehearsed rehearsed rehearsing",
        "the speech",
        "[speak|speaks] clearly",
        "[speak|speaks] badly",
    ),
    Topic::new(
        "drink drinks drank drunk drinking",
        "water",
        "[run|runs] fast",
        "[run|runs] slowly",
    ),
];
