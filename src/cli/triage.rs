//! `testmedic triage`.

use crate::adapters::actions_env::ActionsEnv;
use crate::cli::TriageArgs;
use crate::cli::job::TriageRun;
use crate::error::Problem;
use crate::report::exit_code;

/// Reads, judges, plans, writes if asked, reports.
pub(super) fn triage(args: &TriageArgs, colour: bool) -> Result<u8, Problem> {
    let around = ActionsEnv::read()?;
    let done = TriageRun::prepare(args, around.as_ref())?.run(args, None);
    done.show(args, colour)?;
    Ok(exit_code(&done.triage, args.fail_on))
}
