//! The rules of the disk that forgets, each through the kernel.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use boxyard_testkit::{Disk, Loss, Noise};

fn write_synced(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}

fn sync_folder(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

/// The names and bytes of all files, to compare disks with.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn it_is_a_filesystem_as_long_as_the_power_lasts() {
    let disk = Disk::new();
    let folder = disk.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    let bytes = Noise::new(1).draw(3_000_000);
    fs::write(folder.join("one"), &bytes).unwrap();
    fs::rename(folder.join("one"), disk.path().join("two")).unwrap();
    fs::hard_link(disk.path().join("two"), folder.join("three")).unwrap();
    fs::set_permissions(folder.join("three"), fs::Permissions::from_mode(0o600)).unwrap();

    let metadata = fs::metadata(disk.path().join("two")).unwrap();

    assert_eq!(fs::read(folder.join("three")).unwrap(), bytes);
    assert_eq!((metadata.nlink(), metadata.mode() & 0o777), (2, 0o600));
    assert!(fs::remove_dir(&folder).is_err(), "it is not empty");
    fs::remove_dir_all(disk.path().join("a")).unwrap();
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
}

#[test]
fn a_synced_file_in_a_synced_folder_survives() {
    let disk = Disk::new();
    write_synced(&disk.path().join("file"), b"kept");
    sync_folder(disk.path());

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(
        contents(left.path()),
        [("file".to_owned(), b"kept".to_vec())]
    );
}

#[test]
fn syncing_a_file_does_not_keep_its_name() {
    let disk = Disk::new();
    write_synced(&disk.path().join("file"), b"lost");

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(contents(left.path()), []);
}

#[test]
fn syncing_a_folder_does_not_keep_the_bytes_in_it() {
    let disk = Disk::new();
    fs::write(disk.path().join("file"), b"lost").unwrap();
    sync_folder(disk.path());

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(contents(left.path()), [("file".to_owned(), Vec::new())]);
}

#[test]
fn a_write_and_a_cut_after_the_last_sync_are_forgotten() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    write_synced(&path, b"first version");
    sync_folder(disk.path());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"LATER", 0).unwrap();
    file.set_len(7).unwrap();

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(fs::read(&path).unwrap(), b"LATER v");
    assert_eq!(
        fs::read(left.path().join("file")).unwrap(),
        b"first version"
    );
}

#[test]
fn fdatasync_keeps_the_bytes_and_the_size() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    let mut file = File::create(&path).unwrap();
    sync_folder(disk.path());
    file.write_all(b"kept").unwrap();
    file.sync_data().unwrap();

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(fs::read(left.path().join("file")).unwrap(), b"kept");
}

#[test]
fn a_new_folder_needs_the_sync_of_every_folder_above_it() {
    let disk = Disk::new();
    let folder = disk.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    write_synced(&folder.join("file"), b"kept");
    sync_folder(&folder);
    sync_folder(disk.path());

    let without_a = disk.after_power_loss(Loss::Everything);
    sync_folder(&disk.path().join("a"));
    let with_a = disk.after_power_loss(Loss::Everything);

    assert_eq!(contents(without_a.path()), []);
    assert_eq!(contents(with_a.path()).len(), 1);
}

#[test]
fn a_removed_name_comes_back_until_its_folder_is_synced() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    write_synced(&path, b"kept");
    fs::create_dir(disk.path().join("folder")).unwrap();
    sync_folder(disk.path());
    fs::remove_file(&path).unwrap();
    fs::remove_dir(disk.path().join("folder")).unwrap();

    let before = disk.after_power_loss(Loss::Everything);
    sync_folder(disk.path());
    let after = disk.after_power_loss(Loss::Everything);

    assert_eq!(fs::read(before.path().join("file")).unwrap(), b"kept");
    assert!(before.path().join("folder").is_dir());
    assert_eq!(fs::read_dir(after.path()).unwrap().count(), 0);
}

#[test]
fn a_rename_over_a_file_leaves_the_old_or_the_new_one() {
    let disk = Disk::new();
    write_synced(&disk.path().join("file"), b"old");
    write_synced(&disk.path().join("temporary"), b"new");
    sync_folder(disk.path());
    fs::rename(disk.path().join("temporary"), disk.path().join("file")).unwrap();

    let before = disk.after_power_loss(Loss::Everything);
    sync_folder(disk.path());
    let after = disk.after_power_loss(Loss::Everything);

    assert_eq!(fs::read(before.path().join("file")).unwrap(), b"old");
    assert_eq!(
        contents(after.path()),
        [("file".to_owned(), b"new".to_vec())]
    );
}

#[test]
fn a_move_is_kept_by_the_folder_it_goes_to() {
    let disk = Disk::new();
    let (from, to) = (disk.path().join("from"), disk.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    write_synced(&from.join("file"), b"moved");
    sync_folder(disk.path());
    sync_folder(&from);
    fs::rename(from.join("file"), to.join("file")).unwrap();
    sync_folder(&from);

    let before = disk.after_power_loss(Loss::Everything);
    sync_folder(&to);
    let after = disk.after_power_loss(Loss::Everything);

    assert_eq!(contents(&before.path().join("from")).len(), 1);
    assert_eq!(contents(&before.path().join("to")), []);
    assert_eq!(contents(&after.path().join("from")), []);
    assert_eq!(contents(&after.path().join("to")).len(), 1);
}

#[test]
fn a_name_used_again_does_not_lose_the_file_that_left_it() {
    let disk = Disk::new();
    let (from, to) = (disk.path().join("from"), disk.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    write_synced(&from.join("file"), b"first");
    sync_folder(disk.path());
    sync_folder(&from);
    fs::rename(from.join("file"), to.join("file")).unwrap();
    write_synced(&from.join("file"), b"second");
    sync_folder(&from);

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(fs::read(left.path().join("from/file")).unwrap(), b"second");
    assert_eq!(fs::read(left.path().join("to/file")).unwrap(), b"first");
}

#[test]
fn cutting_the_power_brings_back_the_same_path_with_what_is_left() {
    let mut disk = Disk::new();
    write_synced(&disk.path().join("kept"), b"kept");
    sync_folder(disk.path());
    let mut open = File::create(disk.path().join("lost")).unwrap();
    disk.stop();
    let refused = open.write_all(b"too late").and_then(|()| open.sync_all());

    disk.cut_power(Loss::Everything);

    assert!(refused.is_err());
    assert!(open.sync_all().is_err(), "it belongs to the life before");
    assert_eq!(
        contents(disk.path()),
        [("kept".to_owned(), b"kept".to_vec())]
    );
    fs::write(disk.path().join("lost"), b"and it works again").unwrap();
}

#[test]
fn the_power_can_fail_after_a_number_of_changes() {
    let disk = Disk::new();
    let before = disk.changes();
    disk.power_lasts(3);

    let mut file = File::create(disk.path().join("file")).unwrap();
    file.write_all(b"bytes").unwrap();
    file.sync_all().unwrap();

    assert_eq!(disk.changes() - before, 3);
    assert!(disk.is_dead());
    assert!(File::open(disk.path()).is_err());
}

#[test]
fn a_random_loss_keeps_what_was_synced_and_some_of_the_rest() {
    let disk = Disk::new();
    write_synced(&disk.path().join("synced"), b"kept");
    sync_folder(disk.path());
    for number in 0..10 {
        fs::write(disk.path().join(format!("{number}")), [7; 5000]).unwrap();
    }

    let mut kept = Vec::new();
    for seed in 0..10 {
        let left = disk.after_power_loss(Loss::Random { seed });
        let again = disk.after_power_loss(Loss::Random { seed });
        assert_eq!(fs::read(left.path().join("synced")).unwrap(), b"kept");
        assert_eq!(contents(left.path()), contents(again.path()));
        kept.push(contents(left.path()).len() - 1);
    }

    assert!(kept.iter().any(|count| (1..10).contains(count)), "{kept:?}");
    assert!(kept.iter().min() < kept.iter().max(), "{kept:?}");
}

#[test]
fn a_random_loss_tears_files_by_the_sector() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    write_synced(&path, &[1; 16 * 512]);
    sync_folder(disk.path());
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[2; 16 * 512]).unwrap();

    let torn = (0..10).any(|seed| {
        let left = disk.after_power_loss(Loss::Random { seed });
        let mut bytes = Vec::new();
        let mut file = File::open(left.path().join("file")).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes.contains(&1) && bytes.contains(&2)
    });

    assert!(torn);
}
