//! `retentiond completions SHELL` and `retentiond man`.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Arguments;
use super::failure::Failure;
use crate::schedule::Code;

pub(super) fn completions(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "retentiond", &mut script);
    // A reader that has gone away (`| head`) has what it wanted.
    let _ = std::io::stdout().write_all(&script);
    Ok(0)
}

pub(super) fn man(folder: Option<&Path>) -> Result<u8, Failure> {
    let command = Arguments::command();
    let written = match folder {
        None => clap_mangen::Man::new(command).render(&mut std::io::stdout()),
        Some(folder) => {
            std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder))
        }
    };
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(Code::Unreadable, &error, None))
        }
        _ => Ok(0),
    }
}
