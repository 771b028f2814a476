//! The codes by which other health software knows kinds and fields: SNOMED CT, LOINC, and a local system for the rest.
//!
//! Only concepts that mean the same are coded; a momentary 0–10 rating of fatigue has no LOINC code, for example. LOINC
//! codes end in a mod-10 check digit, SNOMED CT ids in a Verhoeff one; a test holds all of them to it.

/// A system of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// SNOMED CT.
    Snomed,
    /// LOINC.
    Loinc,
    /// The names of this table.
    Local,
}

/// A concept in a system of codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coding {
    /// The system.
    pub system: System,
    /// The code.
    pub code: String,
    /// What it stands for, in words.
    pub display: String,
}

/// A concept that the table names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Concept {
    system: System,
    code: &'static str,
    display: &'static str,
}

impl System {
    /// Returns the URI by which FHIR names it.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Snomed => "http://snomed.info/sct",
            Self::Loinc => "http://loinc.org",
            Self::Local => "urn:ebb:journal",
        }
    }
}

impl Concept {
    pub(super) const fn snomed(code: &'static str, display: &'static str) -> Self {
        Self {
            system: System::Snomed,
            code,
            display,
        }
    }

    pub(super) const fn loinc(code: &'static str, display: &'static str) -> Self {
        Self {
            system: System::Loinc,
            code,
            display,
        }
    }

    /// Returns the concept as a coding.
    pub(super) fn coding(self) -> Coding {
        Coding {
            system: self.system,
            code: self.code.to_owned(),
            display: self.display.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::KINDS;
    use super::*;

    /// The Verhoeff check (J. Verhoeff, 1969): zero for an id with its check digit.
    fn verhoeff(digits: &[usize]) -> usize {
        // The dihedral group of ten elements: its multiplication, and a permutation applied once per place.
        let times = |a: usize, b: usize| match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b - 5) % 5 + 5,
            (false, true) => (a + 5 - b) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        };
        let permuted = |place: usize, digit: usize| {
            (0..place % 8).fold(digit, |digit, _| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4][digit])
        };
        let places = digits.iter().rev().enumerate();
        places.fold(0, |sum, (place, digit)| times(sum, permuted(place, *digit)))
    }

    /// The mod-10 check of LOINC (Luhn): true for a code with its check digit.
    fn luhn(digits: &[usize]) -> bool {
        let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
            let doubled = digit * (1 + place % 2);
            doubled / 10 + doubled % 10
        });
        weighed.sum::<usize>() % 10 == 0
    }

    fn digits(code: &str) -> Vec<usize> {
        let digits = code.chars().filter_map(|c| c.to_digit(10));
        digits.map(|digit| digit as usize).collect()
    }

    fn passes(coding: &Coding) -> bool {
        match coding.system {
            System::Snomed => verhoeff(&digits(&coding.code)) == 0,
            System::Loinc => coding.code.contains('-') && luhn(&digits(&coding.code)),
            System::Local => true,
        }
    }

    #[test]
    fn every_code_ends_in_its_check_digit() {
        let mut foreign = Vec::new();
        for kind in KINDS {
            for coding in kind.columns().iter().map(|column| column.coding(kind)) {
                assert!(passes(&coding), "{coding:?}");
                if coding.system != System::Local {
                    foreign.push(coding.code);
                }
            }
        }
        for code in [
            "84229001",
            "26544005",
            "89423-8",
            "66247-8",
            "267036007",
            "87715008",
            "14760008",
            "24982008",
            "40739000",
            "404640003",
        ] {
            assert!(foreign.contains(&code.to_owned()), "{code}");
        }
        for wrong in ["84229002", "26544050", "267036070"] {
            assert_ne!(verhoeff(&digits(wrong)), 0, "{wrong}");
        }
        assert!(!luhn(&digits("89423-7")));
    }
}
