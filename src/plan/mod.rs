//! What is to be written to the world, as values. So far that is the history
//! record; a dry run prints the very plan that `--apply` carries out.

use crate::history::learn::NotLearned;

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Derived from what it is about; the same in every run about the same.
    pub id: String,
    /// The kind of action, as in `report.json`.
    pub kind: &'static str,
    /// Why.
    pub because: String,
    /// In one line.
    pub title: String,
    /// Where.
    pub target: String,
    /// What came of it; `None` in a dry run.
    pub receipt: Option<Receipt>,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It was carried out.
    Done,
    /// It was done before; nothing changed.
    AlreadyDone,
    /// It failed, and why.
    Failed(String),
}

impl Receipt {
    /// As in `report.json`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::AlreadyDone => "already-done".to_owned(),
            Self::Failed(why) => format!("failed: {why}"),
        }
    }
}

/// Something that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The kind of action.
    pub kind: &'static str,
    /// What would have called for it.
    pub because: String,
    /// Why it is not done.
    pub reason: String,
}

/// All that is to be written, and all that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which it is carried out.
    pub actions: Vec<Planned>,
    /// With reasons.
    pub withheld: Vec<Withheld>,
}

/// Plans the history record of a run: one action for each leg.
#[must_use]
pub fn record(legs: Result<&[(String, u64)], &NotLearned>, target: Option<&str>) -> Plan {
    const KIND: &str = "record-run";
    let because = "later runs are judged against this one".to_owned();
    let withhold = |reason: String| Plan {
        actions: Vec::new(),
        withheld: vec![Withheld { kind: KIND, because: because.clone(), reason }],
    };
    let Some(target) = target else {
        return withhold("history is switched off (`--history none`)".to_owned());
    };
    match legs {
        Err(reason) => withhold(reason.to_string()),
        Ok(legs) => Plan {
            actions: legs
                .iter()
                .map(|(key, tests)| Planned {
                    id: format!("{KIND}:{key}"),
                    kind: KIND,
                    because: because.clone(),
                    title: format!("remember the results of {tests} {}", if *tests == 1 { "test" } else { "tests" }),
                    target: target.to_owned(),
                    receipt: None,
                })
                .collect(),
            withheld: Vec::new(),
        },
    }
}
