//! Signed notes, checkpoints and proofs in files, by the vectors of others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use retentiond::ledger::checkpoint::{Checkpoint, CheckpointError};
use retentiond::ledger::merkle::leaf_hash;
use retentiond::ledger::note::{Key, Note, NoteError, Verifier};
use retentiond::ledger::proof::{Proof, ProofError};

/// The example of C2SP `signed-note`, as `ledger.md` has it.
const VERIFIER: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn verifier() -> Verifier {
    VERIFIER.parse().unwrap()
}

#[test]
fn the_example_of_the_specification_is_accepted() {
    let key = verifier();
    assert_eq!(key.to_string(), VERIFIER);
    assert_eq!(
        (key.name(), hex::encode(key.id())),
        ("example.com/foo", "530d903a".to_owned())
    );
    let note = Note::parse(NOTE).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.signed_by(std::slice::from_ref(&key)), Ok(&key));
}

/// RFC 8032, section 7.1, test 2: the key and the signature of the one byte 0x72.
#[test]
fn keys_and_signatures_are_those_of_rfc_8032() {
    let secret =
        hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
    let key = Key::new("k", &secret.try_into().unwrap()).unwrap();
    let public = key.verifier().to_string();
    let public = BASE64.decode(public.rsplit('+').next().unwrap()).unwrap();
    assert_eq!(
        hex::encode(&public[1..]),
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    assert_eq!(
        hex::encode(key.signature("r")),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
}

#[test]
fn a_note_is_good_only_by_a_known_key_and_with_every_known_signature_right() {
    let (ours, other) = (
        Key::new("log", &[1; 32]).unwrap(),
        Key::new("witness", &[2; 32]).unwrap(),
    );
    let known = [ours.verifier()];
    let note = ours.sign("text\n");
    let second = other.sign("text\n");
    let second = second.split("\n\n").nth(1).unwrap();
    let signed = |note: &str| Note::parse(note).unwrap().signed_by(&known).cloned();
    assert_eq!(signed(&note), Ok(ours.verifier()));
    // A stranger's signature beside says nothing, whatever it is.
    assert_eq!(signed(&format!("{note}{second}")), Ok(ours.verifier()));
    let stranger = format!(
        "{note}\u{2014} someone {}\n",
        BASE64.encode(b"1234nonsense")
    );
    assert_eq!(signed(&stranger), Ok(ours.verifier()));
    assert_eq!(signed(&other.sign("text\n")), Err(NoteError::UnknownKey));
    // Another text under a known key's signature, also beside a good one.
    let wrong = Err(NoteError::WrongSignature("log".to_owned()));
    assert_eq!(signed(&note.replacen("text", "next", 1)), wrong);
    let bad_line = ours.sign("other\n");
    let bad_line = bad_line.split("\n\n").nth(1).unwrap();
    assert_eq!(signed(&format!("{note}{bad_line}")), wrong);
    // The same name with another key is another key.
    let impostor = Key::new("log", &[3; 32]).unwrap();
    assert_eq!(signed(&impostor.sign("text\n")), Err(NoteError::UnknownKey));
    // At least sixteen signatures.
    let many: String = (0..20_u8)
        .map(|i| {
            let note = Key::new(&format!("w{i}"), &[i; 32]).unwrap().sign("text\n");
            note.split("\n\n").nth(1).unwrap().to_owned()
        })
        .collect();
    let line = note.split("\n\n").nth(1).unwrap();
    assert_eq!(
        signed(&format!("text\n\n{many}{line}")),
        Ok(ours.verifier())
    );
}

#[test]
fn what_is_not_shaped_like_a_note_is_none() {
    let good = Key::new("log", &[1; 32]).unwrap().sign("text\n");
    for bad in [
        "",
        "text\n",
        "text\n\n",
        good.trim_end(),
        &good.replace('\u{2014}', "-"),
        &good.replace("\n\n", "\n"),
        &good.replacen("text", "te\txt", 1),
        &good.replacen("log ", "l+g ", 1),
        &format!("{good}\n"),
        &good.replacen("log ", "", 1),
    ] {
        assert!(
            matches!(Note::parse(bad), Err(NoteError::Shape(_))),
            "{bad:?}"
        );
    }
    // A text may have empty lines of its own.
    let note = Key::new("log", &[1; 32]).unwrap().sign("a\n\nb\n");
    assert_eq!(Note::parse(&note).unwrap().text(), "a\n\nb\n");
}

#[test]
fn what_is_not_a_key_is_refused() {
    for bad in [
        "",
        "example.com/foo",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4",
        "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ] {
        assert!(
            matches!(bad.parse::<Verifier>(), Err(NoteError::Key(_))),
            "{bad:?}"
        );
    }
    let key = Key::new("log", &[1; 32]).unwrap();
    let read = Key::from_text(&key.to_text()).unwrap();
    assert_eq!(read.verifier(), key.verifier());
    assert_eq!(read.signature("x"), key.signature("x"));
    assert!(!format!("{key:?}").contains(&BASE64.encode([1; 32])));
    for bad in ["", VERIFIER, "RETENTIOND+PRIVATE+KEY+log+AAAA"] {
        assert_eq!(
            Key::from_text(bad).unwrap_err(),
            NoteError::PrivateKey,
            "{bad:?}"
        );
    }
    for bad in ["", "a+b", "a b", "a\u{2003}b", "a\nb"] {
        assert!(Key::new(bad, &[1; 32]).is_none(), "{bad:?}");
    }
}

#[test]
fn a_checkpoint_is_exactly_three_lines_under_its_own_key() {
    let key = Key::new("retentiond/x", &[1; 32]).unwrap();
    let known = [key.verifier()];
    let checkpoint = Checkpoint {
        origin: "retentiond/x".to_owned(),
        size: 39,
        root: leaf_hash(b"root"),
    };
    let text = format!("retentiond/x\n39\n{}\n", BASE64.encode(leaf_hash(b"root")));
    assert_eq!(checkpoint.to_string(), text);
    assert_eq!(
        Checkpoint::open(&checkpoint.sign(&key), &known),
        Ok(checkpoint)
    );
    for bad in [
        text.replacen("39", "039", 1),
        text.replacen("39", "+39", 1),
        text.replacen("39", "-1", 1),
        text.replacen("39", "", 1),
        format!("{text}an extension\n"),
        text.replacen("retentiond/x", "", 1),
        text.replace('=', ""),
        "retentiond/x\n39\n".to_owned(),
    ] {
        let opened = Checkpoint::open(&key.sign(&bad), &known);
        assert_eq!(opened, Err(CheckpointError::Shape), "{bad:?}");
    }
    let other = key.sign(&text.replacen("retentiond/x", "retentiond/y", 1));
    assert_eq!(
        Checkpoint::open(&other, &known),
        Err(CheckpointError::Origin("retentiond/y".to_owned()))
    );
}

#[test]
fn a_proof_reads_back_and_shows_its_entry_and_no_other() {
    let key = Key::new("log", &[1; 32]).unwrap();
    let known = [key.verifier()];
    // Two leaves: the proof of the second is the first, and the root follows by hand.
    let (first, second) = (leaf_hash(b"one"), leaf_hash(b"two"));
    let root = retentiond::ledger::merkle::node_hash(&first, &second);
    let checkpoint = Checkpoint {
        origin: "log".to_owned(),
        size: 2,
        root,
    };
    let proof = Proof {
        extra: Some(b"beside".to_vec()),
        index: 1,
        path: vec![first],
        checkpoint: checkpoint.sign(&key),
    };
    let text = proof.to_string();
    let expected = format!(
        "c2sp.org/tlog-proof@v1\nextra YmVzaWRl\nindex 1\n{}\n\n{}",
        BASE64.encode(first),
        checkpoint.sign(&key)
    );
    assert_eq!(text, expected);
    assert_eq!(text.parse::<Proof>(), Ok(proof.clone()));
    assert_eq!(proof.check(b"two", &known), Ok(checkpoint));
    assert_eq!(proof.check(b"one", &known), Err(ProofError::Path));
    let elsewhere = Proof {
        index: 0,
        ..proof.clone()
    };
    assert_eq!(elsewhere.check(b"two", &known), Err(ProofError::Path));
    assert!(matches!(
        proof.check(b"two", &[]),
        Err(ProofError::Checkpoint(_))
    ));
    for bad in [
        text.replacen("@v1", "@v2", 1),
        text.replacen("index 1", "index 01", 1),
        text.replacen("index 1", "index -1", 1),
        text.replacen("index 1\n", "", 1),
        text.replacen("extra YmVzaWRl", "extra YmVzaWR", 1),
        text.replacen("\n\n", "\n", 2),
        text.replacen(&BASE64.encode(first), "AAAA", 1),
    ] {
        assert!(
            matches!(bad.parse::<Proof>(), Err(ProofError::Shape(_))),
            "{bad:?}"
        );
    }
}
