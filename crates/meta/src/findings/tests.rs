use super::{Finding, FindingKind};
use crate::testing::{Database, digest, repo};

#[tokio::test]
async fn findings_come_in_pages_in_the_order_of_discovery() {
    let db = Database::new();
    for subject in ["c", "a", "b"] {
        db.meta.record_finding(&finding(subject)).await.unwrap();
    }

    let first = db.meta.findings(None, 2).await.unwrap();
    let rest = db
        .meta
        .findings(first.last().map(|found| found.id), 2)
        .await
        .unwrap();

    let subjects: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|found| found.finding.subject.as_str())
        .collect();
    assert_eq!(subjects, ["c", "a", "b"]);
}

#[tokio::test]
async fn a_finding_that_is_made_again_is_one_finding_with_the_newer_detail() {
    let db = Database::new();
    db.meta.record_finding(&finding("a")).await.unwrap();
    let newer = Finding {
        detail: "newer".to_owned(),
        ..finding("a")
    };

    db.meta.record_finding(&newer).await.unwrap();

    let findings = db.meta.findings(None, 10).await.unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].finding, newer);
    assert!(findings[0].found_at <= findings[0].seen_at);
}

#[tokio::test]
async fn a_resolved_finding_is_no_longer_listed() {
    let db = Database::new();
    db.meta.record_finding(&finding("a")).await.unwrap();
    db.meta.record_finding(&finding("b")).await.unwrap();

    assert!(db.meta.resolve_finding("a").await.unwrap());
    assert!(!db.meta.resolve_finding("a").await.unwrap());

    assert_eq!(db.meta.findings(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_client_pushes_again_is_no_finding_in_its_repository_any_more() {
    let db = Database::new();
    let blob = digest("blob");
    for name in ["a", "b"] {
        let found = Finding {
            kind: FindingKind::LinkGarbled,
            repo: Some(repo(name)),
            ..finding(&blob.to_string())
        };
        db.meta.record_finding(&found).await.unwrap();
    }

    let name = repo("a");
    db.meta
        .hold_blob(&name, &blob, 4, None, Vec::new())
        .await
        .unwrap();

    let found = db.meta.findings(None, 10).await.unwrap();
    let repos: Vec<_> = found.into_iter().map(|found| found.finding.repo).collect();
    assert_eq!(repos, [Some(repo("b"))]);
}

#[test]
fn every_kind_is_read_back_from_its_name() {
    for kind in FindingKind::ALL {
        assert_eq!(kind.as_str().parse::<FindingKind>().unwrap(), kind);
    }
    assert!("other".parse::<FindingKind>().is_err());
}

fn finding(subject: &str) -> Finding {
    Finding {
        kind: FindingKind::LinkGarbled,
        repo: Some(repo("some/repository")),
        subject: subject.to_owned(),
        detail: "0 bytes".to_owned(),
    }
}
