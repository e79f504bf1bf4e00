//! Our image for arm64, run by a real engine.

use boxyard_acceptance::{BUILD, Docker, Network, Qemu, Tool, checkout};
use boxyard_testkit::{Image, eventually};

/// The name under which the registry in the container serves.
const NAME: &str = "127.0.0.1:5000/hello-world:latest";

#[test]
fn our_image_for_arm64_takes_pushes_and_serves_pulls() {
    let _qemu = Qemu::for_arm64();
    let docker = Docker::debian(Network::Private);
    let archive = docker.sandbox().home().join("arm64.tar");
    Tool::new(docker.sandbox().home(), "scripts/image")
        .within(checkout())
        .with_compilers()
        .limit(BUILD)
        .run(format!(
            "--platform linux/arm64 --output {} registry",
            archive.display()
        ));
    docker.run(format!("image load --input {}", archive.display()));
    assert_eq!(docker.inspect("registry")["Architecture"], "arm64");

    docker.run("container run -d --platform linux/arm64 -p 5000:5000 --name registry registry");
    eventually("the registry", || {
        let healthcheck = "container exec registry /bin/boxyard healthcheck";
        docker.client().succeeds(healthcheck).then_some(())
    });
    docker.load(&Image::hello("amd64"), NAME);
    docker.run(format!("image push {NAME}"));
    docker.run(format!("image rm {NAME}"));
    docker.run(format!("image pull {NAME}"));
    docker.run("container stop registry");

    assert_eq!(docker.run("container wait registry"), "0");
}
