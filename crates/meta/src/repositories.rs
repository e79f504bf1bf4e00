//! Repositories: their rows, which of them the catalog shows, and which are taken in whole.

use boxyard_oci::RepoName;
use rusqlite::{Connection, Row};

use crate::{
    Meta, MetaError,
    cache::{Asked, Names, stamps::Part},
    column,
    statements::Statements,
    writer::Write,
};

impl Meta {
    /// The repositories that have a manifest or a tag, bytewise after `after`.
    pub async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RepoName>, MetaError> {
        let after = after.unwrap_or_default().to_owned();
        self.page(limit, move |db| {
            let sql = "SELECT name FROM repositories WHERE listed = 1 AND name > $1
                       ORDER BY name LIMIT $2";
            db.all(sql, (after, column::limit(limit)), |row| {
                column::repo(row, 0)
            })
        })
        .await
    }

    /// The same as they are sent, which is remembered.
    pub async fn repository_names(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Names, MetaError> {
        let after = after.unwrap_or_default();
        let key = Asked::Catalog(after.into(), limit);
        if let Some(names) = self.remembered_names(&key) {
            return Ok(names);
        }
        let at = self.shared.cache.stamps.now();
        let names = Names::of(self.repositories(Some(after), limit).await?);
        self.remember_names(key, &names, Part::Catalog, at);
        Ok(names)
    }

    /// Every repository, bytewise after `after`; also those that hold only blobs or nothing.
    pub async fn every_repository(
        &self,
        after: Option<&RepoName>,
        limit: usize,
    ) -> Result<Vec<RepoName>, MetaError> {
        let after = after
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default();
        self.read(move |db| {
            let sql = "SELECT name FROM repositories WHERE name > $1 ORDER BY name LIMIT $2";
            db.all(sql, (after, column::limit(limit)), |row| {
                column::repo(row, 0)
            })
        })
        .await
    }

    /// Whether `repo` has a manifest, a tag or a blob.
    pub async fn repository_exists(&self, repo: &RepoName) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let Some(repository) = find(db, &repo)? else {
                return Ok(false);
            };
            if repository.listed {
                return Ok(true);
            }
            let sql = "SELECT 1 FROM repository_blobs WHERE repository_id = $1 LIMIT 1";
            Ok(db.one(sql, [repository.id], |_| Ok(()))?.is_some())
        })
        .await
    }

    /// Notes that everything the tree says of `repo` was taken in during the run `run`.
    ///
    /// From then on and until the next run these tables alone say what it holds.
    pub async fn mark_complete(&self, repo: &RepoName, run: u64) -> Result<(), MetaError> {
        let repo = repo.clone();
        self.write(move |tx| {
            let repository = ensure(tx, &repo)?;
            let sql = "UPDATE repositories SET complete_run = $1 WHERE id = $2";
            tx.change_of(&[], sql, (column::integer(run), repository.id))?;
            tx.change(
                "DELETE FROM touched WHERE repository_id = $1",
                [repository.id],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes that everything the tree says was taken in during the run that goes on, so that
    /// every repository is complete, also one that is yet to come.
    pub async fn mark_all_complete(&self) -> Result<(), MetaError> {
        self.write(|tx| {
            tx.change("UPDATE run SET all_complete = 1 WHERE id = 1", [])?;
            tx.change("DELETE FROM touched", []).map(drop)
        })
        .await
    }

    /// Whether everything the tree says of `repo` was taken in during the run `run`.
    pub async fn is_complete(&self, repo: &RepoName, run: u64) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT 1 FROM repositories WHERE name = $1 AND complete_run = $2";
            let params = (repo.as_str(), column::integer(run));
            Ok(db.one(sql, params, |_| Ok(()))?.is_some())
        })
        .await
    }
}

/// A repository's row.
pub(crate) struct Repository {
    pub(crate) id: i64,
    /// Whether the catalog shows it.
    pub(crate) listed: bool,
    /// Whether it was marked complete in the run that goes on.
    pub(crate) complete: bool,
    /// Whether it was marked complete in any run.
    pub(crate) adopted: bool,
}

impl Repository {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            listed: row.get(1)?,
            complete: row.get(2)?,
            adopted: row.get(3)?,
        })
    }
}

pub(crate) fn find(db: &Connection, name: &RepoName) -> rusqlite::Result<Option<Repository>> {
    let sql = "SELECT id, listed,
                   (SELECT CASE WHEN all_complete = 1 OR generation = complete_run
                           THEN 1 ELSE 0 END FROM run WHERE id = 1),
                   complete_run IS NOT NULL
               FROM repositories WHERE name = $1";
    db.one(sql, [name.as_str()], Repository::read)
}

/// The row of `name`, made now if there is none.
pub(crate) fn ensure(tx: &Write<'_>, name: &RepoName) -> rusqlite::Result<Repository> {
    if let Some(repository) = find(tx, name)? {
        return Ok(repository);
    }
    let id = tx.insert_new(
        "INSERT INTO repositories (name) VALUES ($1)",
        [name.as_str()],
    )?;
    let sql = "SELECT all_complete FROM run WHERE id = 1";
    let complete = tx.one(sql, [], |row| row.get(0))?;
    Ok(Repository {
        id,
        listed: false,
        complete: complete.unwrap_or(false),
        adopted: false,
    })
}

/// Shows `repository` in the catalog, now that it has a manifest or a tag.
pub(crate) fn list(tx: &Write<'_>, repository: &mut Repository) -> rusqlite::Result<()> {
    if !repository.listed {
        tx.change_of(
            &[Part::Catalog],
            "UPDATE repositories SET listed = 1 WHERE id = $1",
            [repository.id],
        )?;
        repository.listed = true;
    }
    Ok(())
}

/// Takes `repository` out of the catalog if its last manifest or tag has gone.
pub(crate) fn unlist_if_empty(tx: &Write<'_>, repository: &mut Repository) -> rusqlite::Result<()> {
    let sql = "UPDATE repositories SET listed = 0 WHERE id = $1
               AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository_id = $1)
               AND NOT EXISTS (SELECT 1 FROM tags WHERE repository_id = $1)";
    if tx.change_of(&[Part::Catalog], sql, [repository.id])? > 0 {
        repository.listed = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
