//! Reading from and writing to the repositories, over the floor that reading and writing a file of
//! the same length with tokio sets.

mod support;

use bytes::Bytes;
use futures_util::stream;
use support::{Benches, Comparison};
use tower_presign::store::Upload;
use tower_presign::{
    BinaryId, BinaryKey, BinaryRepository, ContentType, FsRepository, MemoryRepository, VersionId,
};

const SIZES: [(&str, usize); 3] = [
    ("1 KiB", 1024),
    ("100 KiB", 100 * 1024),
    ("10 MiB", 10 * 1024 * 1024),
];

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

async fn write(repository: &impl BinaryRepository, key: &BinaryKey, content: &Bytes) {
    let chunks: Vec<_> = (0..content.len())
        .step_by(64 * 1024)
        .map(|start| Ok(content.slice(start..content.len().min(start + 64 * 1024))))
        .collect();
    let upload = Upload::new(png(), stream::iter(chunks));
    repository.write(key, upload).await.unwrap();
}

async fn read(repository: &impl BinaryRepository, key: &BinaryKey) -> usize {
    let mut content = repository.read(key, None).await.unwrap();
    let mut length = 0;
    while let Some(chunk) = content.next().await {
        length += chunk.unwrap().len();
    }
    length
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let fs = runtime.block_on(FsRepository::open(folder.path().join("binaries")));
    let fs = fs.unwrap().fsync(false);
    let memory = MemoryRepository::new();

    let mut benches = Benches::of(Comparison::Ratio);
    for (name, size) in SIZES {
        let content = Bytes::from(vec![0x5a; size]);
        std::fs::write(&file, &content).unwrap();
        let id = BinaryId::random();
        let in_memory = memory.create(id, png()).unwrap();
        let on_disk = runtime.block_on(fs.create(id, png())).unwrap();
        runtime.block_on(write(&memory, &in_memory, &content));
        runtime.block_on(write(&fs, &on_disk, &content));

        let read_file = || runtime.block_on(tokio::fs::read(&file)).unwrap();
        let title = format!("read {name} from FsRepository");
        benches.compare(&title, read_file, || runtime.block_on(read(&fs, &on_disk)));
        let title = format!("read {name} from MemoryRepository");
        benches.compare(&title, read_file, || {
            runtime.block_on(read(&memory, &in_memory))
        });

        let mut version = 1;
        let write_file = || runtime.block_on(tokio::fs::write(&file, &content)).unwrap();
        let title = format!("write {name} to FsRepository");
        benches.compare(&title, write_file, || {
            version += 1;
            let key = BinaryKey::new(id, VersionId::from(version));
            runtime.block_on(write(&fs, &key, &content));
        });
        // The disk may be small.
        runtime.block_on(fs.delete(id)).unwrap();
    }
}
