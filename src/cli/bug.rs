//! A panic is a bug: it is told in a few lines, what helps to mend it goes to a file, and the process ends.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use super::tell;

/// The exit code of a bug.
const BUG: i32 = 70;

/// From now on a panic, on whatever thread, ends the process with a message and the exit code of a bug. A task that is lost could
/// leave others waiting for it for ever.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        // RUST_BACKTRACE decides whether it is shown; the file has it in any case.
        let shown = Backtrace::capture();
        let whole = Backtrace::force_capture();
        let file = keep(&report(info, &whole));
        tell(&message(info, file.as_ref()));
        if shown.status() == BacktraceStatus::Captured {
            tell(&shown.to_string());
        }
        end();
    }));
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing can be written out any more that could be trusted"
)]
fn end() {
    std::process::exit(BUG);
}

/// What has happened, in one sentence, and what to do.
fn message(info: &PanicHookInfo<'_>, file: Option<&PathBuf>) -> String {
    let what = what(info);
    let repository = env!("CARGO_PKG_REPOSITORY");
    let to = match repository {
        "" => String::new(),
        url => format!(" at {url}/issues"),
    };
    let with = match file {
        Some(path) => format!("with the file {} and the SQL", path.display()),
        None => "with this message and the SQL".to_string(),
    };
    format!(
        "error: this is a bug in flowline: {what}\nhelp: please report it{to}, {with} that shows it"
    )
}

/// The panic's own message on one line, and where it happened.
fn what(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("a panic without a message");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match info.location() {
        Some(at) => format!("{said} ({}:{})", at.file(), at.line()),
        None => said,
    }
}

/// What helps to mend it. Arguments and SQL are left out: they may hold secrets.
fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let thread = std::thread::current();
    format!(
        "flowline {} on {} {}\nthread {}\n{}\n\n{backtrace}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        thread.name().unwrap_or("without a name"),
        what(info),
    )
}

/// Writes it to a file of its own; `None` where that cannot be.
fn keep(report: &str) -> Option<PathBuf> {
    let name = format!("flowline-bug-{}.txt", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, report).ok()?;
    Some(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::process::Command;

    const CHILD: &str = "FLOWLINE_TEST_PANICS";
    const NAME: &str = "cli::bug::tests::a_panic_in_a_task_ends_the_process_with_one_sentence";

    /// The test runs itself in a process of its own, which panics in a task that nobody waits for.
    #[test]
    fn a_panic_in_a_task_ends_the_process_with_one_sentence() {
        if std::env::var_os(CHILD).is_some() {
            super::end_on_panic();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                tokio::spawn(async { panic!("the plan\nis lost") });
                std::future::pending::<()>().await;
            });
        }
        let run = |backtrace: &str| {
            let output = Command::new(std::env::current_exe().unwrap())
                .args([NAME, "--exact", "--nocapture"])
                .env(CHILD, "1")
                .env("RUST_BACKTRACE", backtrace)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(70), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        let told = run("0");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        let place = "error: this is a bug in flowline: the plan is lost (src/cli/bug.rs:";
        assert!(lines[0].starts_with(place), "{told}");
        let (_, rest) = lines[1].split_once("with the file ").unwrap();
        let (path, _) = rest.split_once(" and the SQL").unwrap();
        let report = std::fs::read_to_string(path).unwrap();
        assert!(report.contains("a_panic_in_a_task"), "{report}");
        assert!(run("1").lines().count() > 4);
    }
}
