//! The image and the compose file, as far as they can be read. `scripts/image-check` does
//! what they say.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{ROOT, ensure, file, said};

/// What `docker-compose config` makes of a compose file.
fn config(text: &str) -> Output {
    ensure(&["docker-compose"]);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("docker-compose.yml"), text).unwrap();
    fs::create_dir(folder.path().join("secrets")).unwrap();
    for secret in ["postgres_password", "retentiond.toml"] {
        fs::write(folder.path().join("secrets").join(secret), "").unwrap();
    }
    Command::new("docker-compose")
        .arg("config")
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// The same as a value. Debian's docker-compose brings a reader of YAML for its Python.
fn composed() -> Value {
    let answer = config(&file("docker-compose.yml"));
    assert!(answer.status.success(), "{}", said(&answer));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.yml");
    fs::write(&path, &answer.stdout).unwrap();
    let read = Command::new("/usr/bin/python3")
        .arg("-c")
        .arg("import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))")
        .arg(&path)
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", said(&read));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn docker_compose_understands_the_file_and_the_service_has_little() {
    let whole = composed();
    let service = &whole["services"]["service"];
    assert_eq!(service["read_only"], json!(true));
    assert_eq!(service["cap_drop"], json!(["ALL"]));
    assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    assert_eq!(service["ports"], Value::Null);
    assert_eq!(service["privileged"], Value::Null);
    assert_eq!(
        service["depends_on"],
        json!({ "database": { "condition": "service_healthy" } })
    );
    for name in ["database", "service"] {
        let check = &whole["services"][name]["healthcheck"]["test"];
        assert_eq!(check[0], json!("CMD"), "{name}");
    }
    let volumes = service["volumes"].as_array().unwrap();
    let volumes: Vec<&str> = volumes.iter().map(|it| it.as_str().unwrap()).collect();
    assert!(
        volumes[0].ends_with("/schedule:/schedule:ro"),
        "{volumes:?}"
    );
    assert_eq!(volumes[1..], ["state:/var/lib/retentiond:rw"]);
}

/// A password in the environment is in `docker inspect`, and in every child's memory.
#[test]
fn passwords_come_as_files() {
    let whole = composed();
    for name in ["database", "service"] {
        let service = &whole["services"][name];
        let environment = service["environment"].as_object().unwrap();
        for (variable, value) in environment {
            let is_secret = variable.contains("PASSWORD") || variable.contains("URL");
            assert!(
                !is_secret || variable.ends_with("_FILE"),
                "{variable}={value}"
            );
        }
        assert!(service["secrets"][0]["source"].is_string(), "{name}");
    }
    for (name, secret) in whole["secrets"].as_object().unwrap() {
        let path = secret["file"].as_str().unwrap();
        assert!(path.contains("/secrets/"), "{name}: {path}");
    }
    // Neither git nor the image's builder takes them along.
    assert!(file(".gitignore").lines().any(|line| line == "secrets/"));
    assert!(file(".dockerignore").lines().any(|line| line == "secrets"));
}

#[test]
fn a_key_with_a_typing_error_would_be_found() {
    let text = file("docker-compose.yml").replace("read_only: true", "readonly: true");
    let answer = config(&text);
    assert!(!answer.status.success());
    assert!(said(&answer).contains("readonly"), "{}", said(&answer));
}

/// The instructions' lines, remarks left out.
fn dockerfile() -> Vec<String> {
    file("Dockerfile")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_image_is_built_by_a_compiler_that_is_new_enough() {
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|n| n.parse().unwrap()).collect() };
    let lines = dockerfile();
    let has = lines
        .iter()
        .find_map(|line| line.strip_prefix("ARG RUST_VERSION="))
        .unwrap();
    assert!(
        version(has) >= version(env!("CARGO_PKG_RUST_VERSION")),
        "{has}"
    );
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_ends_in_good_order() {
    let lines = dockerfile();
    for wanted in [
        "USER 10001:10001",
        "STOPSIGNAL SIGTERM",
        "ENTRYPOINT [\"/usr/bin/retentiond\"]",
        "CMD [\"daemon\"]",
        "VOLUME [\"/var/lib/retentiond\"]",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}");
    }
}

/// What the builder is not given, git does not have either: so nothing is missing there.
#[test]
fn the_builder_gets_everything_that_is_kept_in_git() {
    let tracked = Command::new("git")
        .args(["-C", ROOT, "ls-files"])
        .output()
        .unwrap();
    assert!(tracked.status.success(), "{}", said(&tracked));
    let tracked = said(&tracked);
    assert!(tracked.contains("Cargo.lock"));
    for pattern in file(".dockerignore").lines() {
        if pattern.is_empty() || pattern.starts_with('#') {
            continue;
        }
        // Patterns count from the root, and `*` does not match a slash.
        let hides = |path: &str| match pattern.strip_prefix('*') {
            Some(end) => !path.contains('/') && path.ends_with(end),
            None => path == pattern || path.starts_with(&format!("{pattern}/")),
        };
        assert!(!tracked.lines().any(hides), "{pattern}");
    }
}
