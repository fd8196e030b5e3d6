//! `flowline why`: why a job or a table of a server gives no rows, or gives them late.

use flowline_proto::v1 as proto;

use super::client::{ServerArgs, failed};
use super::jobs::state_name;
use super::print;
use crate::error::Result;

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job, or a table that jobs write or read
    #[arg(value_name = "JOB|TABLE")]
    what: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Explains a job or a table: what matters most, then all that is known.
///
/// # Errors
/// No such job or table; no server.
pub async fn run(args: &Args) -> Result<()> {
    let mut client = args.server.control().await?;
    let what = args.what.clone();
    let answer = client.why(proto::WhyRequest { what }).await;
    let explained = answer.map_err(|e| failed(&e, &[]))?.into_inner();
    let texts = explained.explanations.iter().map(text);
    print(&texts.collect::<Vec<_>>().join("\n"))
}

fn text(explained: &proto::Explanation) -> String {
    let state = state_name(explained.state());
    let mut text = format!(
        "job '{}' is {state}: {}\n",
        explained.job, explained.summary
    );
    let mut about = "";
    for fact in &explained.facts {
        if fact.about != about {
            about = &fact.about;
            text += &format!("\n{about}\n");
        }
        text += &format!("  {}\n", fact.text);
    }
    text
}
