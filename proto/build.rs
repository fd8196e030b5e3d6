//! Generates the messages from control.proto, without a system protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=control.proto");
    let files = protox::compile(["control.proto"], ["."])?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}
