//! Who the sentences are about, and who of them is held out of training.

/// The pronoun for someone, which says how verbs are inflected too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pronoun {
    /// he
    He,
    /// she
    She,
    /// they, for a group: *the nurses*
    They,
}

impl Pronoun {
    /// All three.
    pub const ALL: [Self; 3] = [Self::He, Self::She, Self::They];

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::He => "he",
            Self::She => "she",
            Self::They => "they",
        }
    }

    /// A pattern with the plural or the singular of each `[plural|singular]`.
    pub(super) fn inflect(self, pattern: &str) -> String {
        let mut out = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('[') {
            let (choice, after) = after.split_once(']').unwrap_or((after, ""));
            let (plural, singular) = choice.split_once('|').unwrap_or((choice, choice));
            out.push_str(before);
            out.push_str(match self {
                Self::They => plural,
                Self::He | Self::She => singular,
            });
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Names that it may refer to, those of training or those held out.
    #[must_use]
    pub fn names(self, held_out: bool) -> Vec<&'static str> {
        let all = match self {
            Self::He => HE,
            Self::She => SHE,
            Self::They => THEY,
        };
        let named = |name: &&str| {
            let position = all.split_whitespace().position(|other| other == *name);
            let fourth = position.is_some_and(|position| position % 4 == 3);
            (fourth || ALWAYS_HELD_OUT.contains(name)) == held_out
        };
        all.split_whitespace().filter(named).collect()
    }
}

/// Those of the sentences that the trained model is asked about and never trained on.
const ALWAYS_HELD_OUT: &[&str] = &[
    "Vatsal", "Madd", "Jack", "Henry", "Alice", "Susan", "Emma", "Clara", "Frank", "George",
    "Laura", "Helen", "Martin", "Simon", "Julia", "Nancy", "boys", "girls", "sailors", "farmers",
];

const HE: &str = "\
Vatsal Madd Jack Henry Frank George Martin Simon Aaron Abel Abraham Adam Adrian Ahmed Akira Alan Albert Alec \
Alexander Alfred Ali Amir Anand Andre Andrew Angus Anthony Anton Arjun Arnold Arthur Arun Asher Austin Axel Barry \
Basil Ben Benjamin Bernard Bill Bob Boris Brad Bradley Brandon Brian Bruce Bruno Bryan Caleb Calvin Cameron Carl \
Carlos Cedric Charles Chester Chris Clarence Clark Claude Clifford Clive Colin Connor Craig Curtis Cyril Damian \
Daniel Darren David Dean Dennis Derek Dev Diego Dirk Dmitri Dominic Donald Douglas Duncan Dustin Dylan Earl Eddie \
Edgar Edmund Edward Edwin Eli Elias Elliot Emil Eric Ernest Ethan Eugene Evan Fabian Felix Fernando Finn Floyd \
Francis Fred Gabriel Gareth Gary Gavin Gerald Gilbert Glenn Gordon Graham Grant Greg Guy Hans Harold Harry Harvey \
Hassan Hector Herbert Hiro Howard Hugh Hugo Ian Ibrahim Igor Ivan Jacob Jake Jamal James Jared Jason Javier Jeff \
Jeremy Jerome Jim Joel John Jonas Jonathan Joseph Joshua Juan Julian Karl Keith Kevin Kofi Kurt Kyle Lance Larry \
Lars Lawrence Leo Leon Leonard Leroy Liam Lloyd Logan Louis Lucas Luis Luke Malcolm Manuel Marco Marcus Mario Mark \
Marvin Matteo Matthew Maurice Max Michael Miguel Miles Mohan Morgan Nathan Neil Nelson Nicholas Nigel Nikhil Noah \
Norman Oliver Omar Oscar Otto Owen Pablo Patrick Paul Pedro Peter Philip Pierre Rahul Raj Ralph Raymond Reza Ricardo \
Richard Robert Roger Roland Ronald Ross Roy Russell Ryan Samuel Sanjay Scott Sean Sergei Seth Sidney Stanley Stefan \
Stephen Steven Stuart Tariq Terry Theodore Thomas Timothy Toby Todd Tom Tony Travis Trevor Tyler Victor Vikram \
Vincent Walter Warren Wayne Wesley William Yusuf Zachary";

const SHE: &str = "\
Alice Susan Emma Clara Laura Helen Julia Nancy Abigail Ada Adele Agnes Aisha Alexandra Alexis Alison Amanda Amber \
Amelia Amina Amy Ana Andrea Angela Anita Ann Anna Annie Anya April Ariel Audrey Ava Barbara Beatrice Becky Bella \
Bernice Beth Betty Bianca Bonnie Brenda Bridget Camila Carla Carmen Carol Caroline Catherine Cecilia Celia Charlotte \
Chloe Christina Cindy Claire Claudia Connie Cora Crystal Cynthia Daisy Dana Daphne Deborah Denise Diana Donna Dora \
Doris Dorothy Edith Eileen Elaine Eleanor Elena Elisa Elizabeth Ella Ellen Eloise Elsa Emily Erica Erin Esther Eva \
Evelyn Faith Fatima Felicity Fiona Flora Florence Frances Gail Gemma Georgia Gina Gladys Gloria Grace Greta Hannah \
Harriet Hazel Heather Heidi Hilda Holly Ida Imani Ingrid Irene Iris Isabel Ivy Jacqueline Jana Jane Janet Janice \
Jasmine Jean Jennifer Jenny Jessica Jill Joan Joanna Josephine Joyce Judith Judy Karen Kate Katherine Kathleen Katie \
Kavita Keiko Kelly Kimberly Kirsten Lara Leah Lena Lily Linda Lisa Lois Lola Louise Lucia Lucy Lydia Mabel Maggie \
Maria Marie Marjorie Martha Mary Matilda Maya Megan Melanie Melissa Michelle Mildred Millie Miranda Molly Monica \
Nadia Naomi Natalie Nicole Nina Nora Norma Olga Olive Olivia Pamela Patricia Paula Pauline Penelope Phyllis Polly \
Priya Rachel Rebecca Renee Rita Roberta Rosa Rose Rosemary Ruby Ruth Sabrina Sally Samantha Sandra Sara Shannon \
Sharon Sheila Shirley Sonia Sophia Stella Stephanie Sylvia Tamara Tanya Teresa Tessa Tina Ursula Valerie Vanessa \
Vera Veronica Victoria Violet Virginia Vivian Wanda Wendy Yasmin Yuki Yvonne Zainab Zoe";

const THEY: &str = "\
boys girls sailors farmers actors artists bakers bankers builders children clerks climbers coaches cooks dancers \
doctors drivers engineers guards hikers judges lawyers managers mechanics miners nurses painters pilots players poets \
runners scientists scouts singers soldiers students swimmers teachers twins visitors waiters women workers writers men";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn several_hundred_names_each_once_and_a_quarter_held_out() {
        let mut seen = HashSet::new();
        let mut counts = [0, 0];
        for pronoun in Pronoun::ALL {
            for held_out in [false, true] {
                for name in pronoun.names(held_out) {
                    assert!(seen.insert(name), "{name} twice");
                    counts[usize::from(held_out)] += 1;
                }
            }
        }
        assert!(counts[0] > 300 && counts[1] > 100, "{counts:?}");
        for name in ALWAYS_HELD_OUT {
            assert!(
                Pronoun::ALL.iter().any(|p| p.names(true).contains(name)),
                "{name}"
            );
        }
    }
}
