//! The Debian package, built of the program that the tests have: what is in it, what
//! lintian says, and that it is the same package twice. `scripts/package-check` lives with
//! it in a system of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::{ROOT, ensure, file, said};

static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    build(&folder)
});

fn build(folder: &Path) -> PathBuf {
    ensure(&["dpkg-deb", "dpkg-shlibdeps", "strip", "lintian"]);
    let built = Command::new(Path::new(ROOT).join("scripts/debian-package"))
        .arg(folder)
        .env("PACKAGE_PROGRAM", env!("CARGO_BIN_EXE_retentiond"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", said(&built));
    PathBuf::from(String::from_utf8(built.stdout).unwrap().trim_end())
}

fn dpkg_deb(arguments: &[&str]) -> String {
    let answer = Command::new("dpkg-deb")
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", said(&answer));
    String::from_utf8(answer.stdout).unwrap()
}

/// Mode, owner and path of all that is not a folder.
fn contents() -> Vec<(String, String)> {
    dpkg_deb(&["--contents", PACKAGE.to_str().unwrap()])
        .lines()
        .filter(|line| !line.starts_with('d'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (
                format!("{} {}", words[0], words[1]),
                words[5].trim_start_matches('.').to_owned(),
            )
        })
        .collect()
}

/// One page for each command, and one for each document: those are counted elsewhere.
fn is_one_of_many(path: &str) -> bool {
    path.starts_with("/usr/share/man/man1/retentiond-")
        || (path.starts_with("/usr/share/doc/retentiond/") && path.ends_with(".md"))
}

#[test]
fn the_package_has_these_files_and_no_others() {
    let listed: String = contents()
        .iter()
        .filter(|(_, path)| !is_one_of_many(path))
        .map(|(mode, path)| format!("{mode} {path}\n"))
        .collect();
    insta::assert_snapshot!(listed, @r"
    -rw-r--r-- root/root /etc/retentiond/retentiond.toml
    -rw-r--r-- root/root /lib/systemd/system/retentiond.service
    -rw-r--r-- root/root /lib/systemd/system/retentiond@.service
    -rwxr-xr-x root/root /usr/bin/retentiond
    -rw-r--r-- root/root /usr/lib/sysusers.d/retentiond.conf
    -rw-r--r-- root/root /usr/share/bash-completion/completions/retentiond
    -rw-r--r-- root/root /usr/share/doc/retentiond/changelog.Debian.gz
    -rw-r--r-- root/root /usr/share/doc/retentiond/changelog.gz
    -rw-r--r-- root/root /usr/share/doc/retentiond/copyright
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/config/retention.schema.json
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/grafana-dashboard.json
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/prometheus.rules.yml
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/retention.toml
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/retentiond.toml
    -rw-r--r-- root/root /usr/share/doc/retentiond/examples/verify_ledger.py
    -rw-r--r-- root/root /usr/share/doc/retentiond/third-party-licences.txt.gz
    -rw-r--r-- root/root /usr/share/fish/vendor_completions.d/retentiond.fish
    -rw-r--r-- root/root /usr/share/lintian/overrides/retentiond
    -rw-r--r-- root/root /usr/share/man/man1/retentiond.1.gz
    -rw-r--r-- root/root /usr/share/zsh/vendor-completions/_retentiond
    ");
}

#[test]
fn everything_belongs_to_root_and_nothing_can_be_written_by_others() {
    for (mode, path) in contents() {
        let allowed = ["-rw-r--r-- root/root", "-rwxr-xr-x root/root"];
        assert!(allowed.contains(&mode.as_str()), "{mode} {path}");
    }
}

#[test]
fn every_document_and_every_command_s_page_is_in_it() {
    let there: BTreeSet<String> = contents()
        .into_iter()
        .map(|(_, path)| path)
        .filter(|path| is_one_of_many(path))
        .collect();
    let mut wanted = BTreeSet::from(["/usr/share/doc/retentiond/README.md".to_owned()]);
    for document in fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let name = document.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            wanted.insert(format!("/usr/share/doc/retentiond/{name}"));
        }
    }
    let pages = TempDir::new().unwrap();
    let written = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["man", "--output"])
        .arg(pages.path())
        .output()
        .unwrap();
    assert!(written.status.success(), "{}", said(&written));
    for page in fs::read_dir(pages.path()).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        if name != "retentiond.1" {
            wanted.insert(format!("/usr/share/man/man1/{name}.gz"));
        }
    }
    assert_eq!(there, wanted);
}

#[test]
fn it_says_what_it_is_and_needs() {
    let field = |name: &str| {
        dpkg_deb(&["--field", PACKAGE.to_str().unwrap(), name])
            .trim_end()
            .to_owned()
    };
    assert_eq!(field("Package"), "retentiond");
    // The package's own number stands behind the program's.
    let version = field("Version");
    assert_eq!(
        version.rsplit_once('-').map(|(program, _)| program),
        Some(env!("CARGO_PKG_VERSION")),
        "{version}"
    );
    let needs = field("Depends");
    assert!(needs.starts_with("libc6 (>= "), "{needs}");
    assert!(
        needs.contains("procps"),
        "the unit reloads with /bin/kill: {needs}"
    );
    // A service that is linked with the system's OpenSSL, say, would be a surprise.
    let libraries: Vec<&str> = needs
        .split(", ")
        .filter(|need| need.starts_with("lib"))
        .map(|need| need.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(libraries, ["libc6", "libgcc-s1"]);
}

#[test]
fn lintian_finds_neither_an_error_nor_a_warning() {
    let answer = Command::new("lintian")
        .args(["--fail-on", "error,warning"])
        .arg(&*PACKAGE)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", said(&answer));
}

/// An override without a reason hides what nobody decided.
#[test]
fn every_override_of_lintian_has_its_reason() {
    let text = file("packaging/debian/lintian-overrides");
    let mut reason = false;
    for line in text.lines() {
        assert!(line.starts_with('#') || reason, "{line}");
        reason = true;
        assert!(
            line.starts_with("# ") || line.starts_with("retentiond: "),
            "{line}"
        );
    }
}

#[test]
fn it_is_the_same_package_twice() {
    let again = TempDir::new().unwrap();
    assert!(
        fs::read(build(again.path())).unwrap() == fs::read(&*PACKAGE).unwrap(),
        "two packages of one program differ"
    );
}

#[test]
fn its_scripts_are_shell_that_a_parser_reads() {
    for name in ["postinst", "prerm", "postrm"] {
        let read = Command::new("sh")
            .arg("-n")
            .arg(Path::new(ROOT).join("packaging/debian").join(name))
            .output()
            .unwrap();
        assert!(read.status.success(), "{name}: {}", said(&read));
    }
}

/// All keys are remarks: installing the package sets nothing.
#[test]
fn the_settings_that_it_brings_set_nothing() {
    for line in file("packaging/debian/retentiond.toml").lines() {
        assert!(line.starts_with('#'), "{line}");
    }
    assert_eq!(
        file("packaging/debian/conffiles"),
        "/etc/retentiond/retentiond.toml\n"
    );
}
