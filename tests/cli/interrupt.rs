#![cfg(unix)]

use super::{command, device, minute, names, succeed};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Ctrl-C in the middle of a long run ends it with a checkpoint, from which it goes on.
#[test]
fn ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let line = format!("train {} --steps 1000000 --out {}", minute(), run.display());
    let child =
        command(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = run.join("log.jsonl");
    for _ in 0..600 {
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains(&format!("ddpm train --resume {}", run.display())), "{said}");

    let names = names(&run);
    let step: u64 = names[0].strip_prefix("checkpoint-").expect("a checkpoint").parse().unwrap();
    assert!(said.contains(&format!("stopped after step {step}")), "{said}");
    let next = step + 1;
    succeed(&format!("train --device {} --steps {next} --resume {}", device(), run.display()));
    assert!(run.join(format!("checkpoint-{next}")).is_dir());
}
