//! The `mapwright` binary: parses arguments, dispatches, and turns the outcome into an exit code.

fn main() -> std::process::ExitCode {
    mapwright::cli::main()
}
