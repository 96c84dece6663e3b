//! The command line: one file a subcommand, each parses, calls and prints.
//!
//! Standard output carries the answer (with `--format json` exactly one object), standard
//! error everything else. The exit codes are a contract: 0 done, 1 failed, 2 usage or a
//! faulty schedule, 3 something waits for a person.

mod accept;
mod args;
mod certificate;
mod chart;
mod check;
mod context;
mod daemon;
mod debt;
mod demo;
mod desk;
mod explain;
mod failure;
mod grants;
mod hold;
mod init;
mod journal;
mod ledger;
mod letter;
mod migrate;
mod order;
mod output;
mod plan;
mod processor;
mod progress;
mod publish;
mod replay;
mod review;
mod run;
mod shell;
mod status;
mod subject;
mod tracing;
mod versions;

use std::ffi::OsString;

use clap::Parser;

pub use args::Arguments;
use args::Command;
use context::Context;
use failure::Failure;

/// Runs one command line and answers the exit code.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        // Help and version are answers.
        Err(answer) if !answer.use_stderr() => {
            let _ = answer.print();
            return 0;
        }
        Err(error) => {
            let failure = Failure::from(error);
            failure.print(asks_for_json(&given));
            return failure.exit_code();
        }
    };
    let context = Context::new(arguments.global);
    match dispatch(&context, arguments.command).await {
        Ok(code) => code,
        Err(failure) => {
            failure.print(context.json());
            failure.exit_code()
        }
    }
}

/// Whether a command line that cannot be read has `--format json` in it all the same.
fn asks_for_json(given: &[OsString]) -> bool {
    let pairs = given
        .windows(2)
        .any(|pair| pair[0] == "--format" && pair[1] == "json");
    pairs || given.iter().any(|one| one == "--format=json")
}

async fn dispatch(context: &Context, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(context, arguments).await,
        Command::Init(arguments) => init::run(context, arguments).await,
        Command::Migrate => migrate::run(context).await,
        Command::Grants(arguments) => grants::run(context, arguments).await,
        Command::Check(arguments) => check::run(context, arguments).await,
        Command::Plan(arguments) => plan::run(context, arguments).await,
        Command::Accept(arguments) => accept::run(context, arguments).await,
        Command::Run(arguments) => run::run(context, arguments).await,
        Command::Daemon => daemon::run(context).await,
        Command::Status(args::Status { overdue: true }) => debt::run(context).await,
        Command::Status(_) => status::run(context).await,
        Command::Explain(arguments) => explain::run(context, arguments).await,
        Command::Publish(arguments) => publish::run(context, &arguments),
        Command::Review(command) => review::run(context, command).await,
        Command::Hold(command) => hold::run(context, command).await,
        Command::Exempt(command) => hold::exempt(context, command).await,
        Command::Subject(command) => subject::run(context, command).await,
        Command::Instruct(arguments) => order::instruct(context, arguments).await,
        Command::Processor(command) => processor::run(context, command).await,
        Command::Pause(arguments) => order::pause(context, arguments).await,
        Command::Resume(arguments) => order::resume(context, arguments).await,
        Command::Operator(command) => order::operator(context, command).await,
        Command::Ledger(command) => ledger::run(context, command).await,
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { output } => shell::man(output.as_deref()),
    }
}
