//! What each failure says, and what it tells people to type.

use super::*;

fn about(standing: Standing) -> Option<About> {
    Some(About {
        journal: "00ff".repeat(8),
        patient: "Ana".to_owned(),
        person: "Dr Lee".to_owned(),
        device: "clinic".to_owned(),
        fingerprint: "12ab-34cd-56ef".to_owned(),
        role: None,
        standing,
        erased: false,
        unsent: 0,
    })
}

#[test]
fn who_may_not_write_is_told_why_and_whom_to_ask() {
    let owners = ["Ana".to_owned(), "Ben".to_owned()];
    insta::assert_snapshot!(read_only(about(Standing::Member), &owners), @r#"
    this device may read this journal, not write in it
    nothing was recorded
    try: ask Ana or Ben, who can type: ebb role "Dr Lee" contributor
    "#);
    insta::assert_snapshot!(read_only(about(Standing::Waiting), &owners), @r"
    this device waits for an owner to approve it
    nothing was recorded
    try: ebb members approve 12ab-34cd-56ef    (an owner, on a device that is in)
    ");
    insta::assert_snapshot!(read_only(about(Standing::Removed), &owners), @r"
    this device was removed from the journal; what is on it can still be read
    nothing was recorded
    try: ebb list
    ");
    insta::assert_snapshot!(read_only(None, &[]), @r"
    this device may read this journal, not write in it
    nothing was recorded
    try: ebb members
    ");
}

#[test]
fn a_sync_that_is_not_permitted_says_what_stays() {
    insta::assert_snapshot!(CommandError::from(SyncError::Removed), @r"
    this device was removed from the journal; what is on it can still be read
    your entries are safe on this device
    try: ebb list    (all that is on this device)
    try: ask an owner for a new link, if it was a mistake: ebb share
    ");
    insta::assert_snapshot!(CommandError::from(SyncError::Waiting), @r"
    this device waits for an owner to approve it
    your entries are safe on this device
    try: ebb members approve NAME    (an owner, on a device that is in)
    ");
    insta::assert_snapshot!(CommandError::from(SyncError::Erased), @r"
    this journal was erased by its owner; what is on this device can still be read
    your entries are safe on this device
    try: ebb list
    try: ebb journals leave    (takes it off this device)
    ");
}

#[test]
fn each_failure_of_what_is_held_says_what_to_type() {
    insta::assert_snapshot!(CommandError::from(HeldError::NoSuch("3f".to_owned())), @r"
    nothing is held under `3f`
    try: ebb held
    ");
    let closed = HeldError::Closed("3f".to_owned(), "the key of epoch 2 is missing".to_owned());
    insta::assert_snapshot!(CommandError::from(closed), @r"
    `3f` cannot be opened: the key of epoch 2 is missing
    your entries are safe on this device
    try: ebb sync
    ");
    insta::assert_snapshot!(CommandError::from(HeldError::ReadOnly), @r"
    this device may read this journal, not write in it
    nothing was recorded
    try: ebb members    (shows who may write)
    ");
}

#[test]
fn each_failure_of_membership_says_what_to_type() {
    let said = |error: MemberError| CommandError::from(error);
    insta::assert_snapshot!(said(MemberError::NoSuch("Zoe".to_owned())), @r"
    nobody and nothing here is called `Zoe`
    try: ebb members
    try: ebb invites
    ");
    insta::assert_snapshot!(said(MemberError::Ambiguous("phone".to_owned())), @r#"
    `phone` is ambiguous
    name it by its fingerprint, or as "PERSON, DEVICE"
    try: ebb members
    "#);
    insta::assert_snapshot!(said(MemberError::NotAPerson("phone".to_owned())), @r"
    `phone` is a device; a role is that of a person
    try: ebb members
    ");
    insta::assert_snapshot!(said(MemberError::OwnRemoval), @r"
    a device cannot remove itself
    another owner, or another device of yours, can remove this one
    try: ebb members
    ");
    insta::assert_snapshot!(said(MemberError::NoRelay), @r"
    this journal has no relay yet
    try: ebb relay add URL --token-file FILE
    ");
    insta::assert_snapshot!(said(MemberError::NotListed("https://relay.example".to_owned())), @r"
    the relay https://relay.example is not listed
    try: ebb relay list
    ");
    insta::assert_snapshot!(said(MemberError::NotMember), @r"
    this device is no member of the journal
    your entries are safe on this device
    try: ebb status    (says whether it waits for an owner, or was removed)
    ");
}
