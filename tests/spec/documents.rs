//! The documents: their links lead somewhere, and their commands name what there is. The Rust in the
//! README is a doc test, its commands run in `servers/axum.rs`, and the program in `servers/minimal.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use tower_presign::{SigningKey, UrlSigner};
use url::Url;

use crate::support::skip::skip;

const DOCUMENTS: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/comparison.md",
    "docs/performance.md",
    "fuzz/corpus/README.md",
];

/// The folders from which documents name files.
const FOLDERS: &[&str] = &["", "src", "tests", "tests/spec", "examples", "docs"];

/// The ends of names that are files' here.
const EXTENSIONS: &[&str] = &["json", "md", "mjs", "py", "rs", "svg", "toml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document, taken apart.
struct Document {
    name: &'static str,
    text: String,
    /// The lines of its blocks of bash.
    commands: Vec<String>,
    /// Everything else but blocks.
    prose: String,
}

impl Document {
    fn all() -> impl Iterator<Item = Self> {
        DOCUMENTS.iter().map(|name| Self::read(name))
    }

    fn read(name: &'static str) -> Self {
        let (text, mut commands, mut prose) = (read(name), Vec::new(), String::new());
        for (number, part) in text.split("```").enumerate() {
            if number % 2 == 0 {
                prose += part;
            } else if let Some(block) = part.strip_prefix("bash\n") {
                let block = block.replace("\\\n", "");
                commands.extend(block.lines().map(str::to_owned));
            }
        }
        Self {
            name,
            text,
            commands,
            prose,
        }
    }

    /// The texts in backquotes.
    fn quoted(&self) -> impl Iterator<Item = String> {
        let parts = self.prose.split('`').skip(1).step_by(2);
        parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The targets of its links.
    fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.prose.split("](").skip(1);
        targets.map(|rest| rest.split(')').next().unwrap())
    }

    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|heading| anchor(heading.trim_start_matches('#')))
            .collect()
    }
}

/// As Git hosts make it of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let letters = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    letters.collect::<String>().replace(' ', "-")
}

#[test]
fn the_list_has_every_document() {
    let folders = ["", "docs", "fuzz", "fuzz/corpus"];
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let found = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let listed = DOCUMENTS.iter().map(|name| root().join(name));
    assert_eq!(
        found.collect::<BTreeSet<_>>(),
        listed.collect::<BTreeSet<PathBuf>>()
    );
}

#[test]
fn every_link_leads_to_a_file_a_heading_or_a_well_formed_url() {
    for document in Document::all() {
        for link in document.links() {
            if let Ok(url) = Url::parse(link) {
                let is_local = url.scheme() == "http" && url.host_str() == Some("127.0.0.1");
                assert!(
                    url.scheme() == "https" || is_local,
                    "{}: {link}",
                    document.name
                );
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(document.name);
            let path = folder.parent().unwrap().join(file);
            assert!(path.exists(), "{}: {link}", document.name);
            if !heading.is_empty() {
                let other = DOCUMENTS.iter().find(|name| root().join(name) == path);
                let target = other.map_or_else(
                    || Document::read(document.name),
                    |name| Document::read(name),
                );
                assert!(
                    target.anchors().contains(heading),
                    "{}: {link}",
                    document.name
                );
            }
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    for document in Document::all() {
        for name in document.quoted() {
            let is_file = name
                .rsplit_once('.')
                .is_some_and(|(stem, end)| !stem.is_empty() && EXTENSIONS.contains(&end));
            let is_path = !name.contains([' ', ':', '(', '[', '<', '$', '*', '@', '{']);
            let is_folder = name.len() > 1 && name.ends_with('/') && !name.starts_with('/');
            if is_path && (is_file || is_folder) {
                let mut places = FOLDERS.iter().map(|folder| root().join(folder).join(&name));
                assert!(
                    places.any(|path| path.exists()),
                    "{}: {name}",
                    document.name
                );
            }
        }
    }
}

#[test]
fn every_name_of_several_words_is_one_in_the_code() {
    let mut code = String::new();
    for folder in ["src", "tests", "examples", "benches", "fuzz/src"] {
        collect(&root().join(folder), &mut code);
    }
    let words: BTreeSet<_> = code
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    // The comparison names what is in other code.
    for document in Document::all().filter(|document| document.name != "docs/comparison.md") {
        for name in document.quoted().filter(|name| is_snake_case(name)) {
            // With one underscore, a term of others or a feature.
            let is_known = words.contains(&*name) || name.matches('_').count() < 2;
            assert!(is_known, "{}: {name}", document.name);
        }
    }
}

fn is_snake_case(name: &str) -> bool {
    name.contains('_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The code below a folder.
fn collect(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, code);
        } else if path.extension().is_some_and(|end| end == "rs") {
            *code += &fs::read_to_string(path).unwrap();
        }
    }
}

#[test]
fn every_command_names_steps_tests_examples_and_features_that_there_are() {
    let mut checked = 0;
    for document in Document::all() {
        let quoted = document.quoted().filter(|text| text.contains(' '));
        for line in document.commands.iter().cloned().chain(quoted) {
            // A comment, and what goes before a command.
            let line = line.split("  #").next().unwrap();
            for command in line.split(" && ") {
                let words: Vec<_> = command.split_whitespace().collect();
                if let Err(name) = check(&words) {
                    panic!("{}: there is no {name} for `{command}`", document.name);
                }
                checked += usize::from(words.first() == Some(&"cargo"));
            }
        }
    }
    assert!(checked > 15, "{checked} commands of cargo");
}

/// An error is the name that does not exist.
fn check(words: &[&str]) -> Result<(), String> {
    let exists = |path: &str| root().join(path).exists();
    let hold = |holds: bool, name: &str| holds.then_some(()).ok_or_else(|| name.to_owned());
    match words {
        ["bash", ".ci/run", steps @ ..] => {
            let script = read(".ci/run");
            for step in steps.iter().filter(|step| **step != "--list") {
                hold(script.contains(&format!("\nstep-{step}() {{")), step)?;
            }
        }
        ["python3" | "node", file, files @ ..] if *file != "-" => {
            hold(exists(file), file)?;
            files.iter().try_for_each(|file| hold(exists(file), file))?;
        }
        // Features of others.
        ["cargo", "add", ..] => {}
        ["cargo", _, options @ ..] => {
            let manifest = read("Cargo.toml");
            for pair in options.windows(2) {
                let [option, value] = *pair else { continue };
                match option {
                    "--test" => {
                        let file = format!("tests/{value}/main.rs");
                        hold(exists(&file), &file)?;
                    }
                    "--bench" => {
                        hold(
                            manifest.contains(&format!("[[bench]]\nname = \"{value}\"")),
                            value,
                        )?;
                    }
                    "--example" => {
                        let files = [
                            format!("examples/{value}.rs"),
                            format!("examples/{value}/main.rs"),
                        ];
                        hold(files.iter().any(|file| exists(file)), value)?;
                    }
                    "-p" => {
                        let folder = value.replace("tower-presign-", "examples/");
                        let package = read(format!("{folder}/Cargo.toml"));
                        hold(package.contains(&format!("\nname = \"{value}\"")), value)?;
                    }
                    "--features" => {
                        for feature in value.split(',') {
                            hold(manifest.contains(&format!("\n{feature} = [")), feature)?;
                        }
                    }
                    "--file" => hold(exists(value), value)?,
                    _ => {}
                }
            }
            if let [_, "--test", binary, filter, ..] = words[1..] {
                let module = format!("tests/{binary}/{}", filter.replace("::", "/"));
                let is_module = exists(&module) || exists(&format!("{module}.rs"));
                hold(is_module || filter.starts_with('-'), &module)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[test]
fn the_program_is_the_same_in_the_readme_in_the_documentation_and_as_an_example() {
    let readme = read("README.md");
    let (_, program) = readme.split_once("```rust,no_run\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let library = read("src/lib.rs");
    let (_, documented) = library.split_once("//! ```no_run\n").unwrap();
    let (documented, _) = documented.split_once("//! ```").unwrap();
    let documented = documented
        .lines()
        .filter(|line| !line.starts_with("//! # "));
    let documented: Vec<_> = documented
        .map(|line| line.trim_start_matches("//!").trim())
        .collect();
    let shown: Vec<_> = program.lines().map(str::trim).collect();
    assert_eq!(documented, shown);
    let example = read("examples/minimal.rs");
    assert!(example.ends_with(program), "{example}");
    assert!(example.lines().count() < 40);
}

#[test]
fn the_commands_that_take_no_time_succeed() {
    let commands = Document::all().flat_map(|document| document.commands);
    let commands: Vec<_> = commands
        .filter(|line| {
            let starts = ["python3 docs/", "node docs/", "bash .ci/run --list"];
            starts.iter().any(|start| line.starts_with(start))
        })
        .collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in commands {
        let program = command.split(' ').next().unwrap();
        if is_there(program) {
            let output = bash(&command);
            assert!(output.status.success(), "{command}: {output:?}");
        }
    }
}

/// False, and said, where the test has to do without the program.
fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        skip(format_args!("there is no {program}"));
    }
    is_there
}

fn bash(command: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-c", command])
        .current_dir(root())
        .output()
        .unwrap()
}

#[test]
fn a_vector_is_made_as_contributing_says() {
    if !is_there("python3") {
        return;
    }
    let document = Document::read("CONTRIBUTING.md");
    let (_, script) = document.text.split_once("```bash\nPYTHONPATH").unwrap();
    let script = format!("PYTHONPATH{}", script.split("```").next().unwrap());
    let output = bash(&script);
    let url = String::from_utf8(output.stdout).unwrap();
    let (base_url, _) = url.split_once("/scan-7/").unwrap();
    let secret: Vec<u8> = (0..32).collect();
    let signer = UrlSigner::new(SigningKey::new("k1", secret).unwrap(), base_url).unwrap();
    let target = &url.trim_end()[base_url.len()..];
    let now = UNIX_EPOCH + Duration::from_secs(1_893_456_000 - 60);
    let grant = signer.verifier().verify(target, now).unwrap();
    assert_eq!(grant.key.id().as_str(), "scan-7");
}
