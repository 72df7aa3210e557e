use std::process::ExitCode;

fn main() -> ExitCode {
    ddpm_ptx::cli::run()
}
