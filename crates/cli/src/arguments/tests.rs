//! Lines, right and wrong, against what they are understood as.

use super::*;

fn wrong(line: &[&str]) -> String {
    let line = std::iter::once("ebb")
        .chain(line.iter().copied())
        .map(Into::into)
        .collect();
    match read(line) {
        Err(error) => format!("{} {}: {error}", error.kind, error.exit as u8),
        Ok(line) => panic!("{line:?}"),
    }
}

fn request(line: &[&str]) -> Line {
    read(
        std::iter::once("ebb")
            .chain(line.iter().copied())
            .map(Into::into)
            .collect(),
    )
    .unwrap()
}

#[test]
fn each_wrong_line_says_what_to_type() {
    insta::assert_snapshot!(wrong(&["tody"]), @r#"
    unknown-command 2: there is no command "tody"
    try: ebb today
    try: ebb --help
    "#);
    insta::assert_snapshot!(wrong(&["xyzzy", "--json"]), @r#"
    unknown-command 2: there is no command "xyzzy"
    try: ebb --help
    "#);
    insta::assert_snapshot!(wrong(&["relay"]), @r"
    usage 2: `ebb relay` needs one more word
    try: ebb relay --help
    ");
    insta::assert_snapshot!(wrong(&["relay", "ad"]), @r#"
    unknown-command 2: there is no command "relay ad"
    try: ebb relay add
    try: ebb relay --help
    "#);
    insta::assert_snapshot!(wrong(&["6", "--levle", "7"]), @r"
    usage 2: unexpected argument '--levle' found
    try: ebb fatigue --level
    try: ebb fatigue --help
    ");
    insta::assert_snapshot!(wrong(&["list", "--sicne", "7d"]), @r"
    usage 2: unexpected argument '--sicne' found
    try: ebb list --since
    try: ebb list --help
    ");
    insta::assert_snapshot!(wrong(&["show"]), @r"
    usage 2: the following required arguments were not provided: <ID>
    try: ebb show --help
    ");
    insta::assert_snapshot!(wrong(&["show", "a", "b"]), @r"
    usage 2: unexpected argument 'b' found
    try: ebb show --help
    ");
    insta::assert_snapshot!(wrong(&["--color", "red"]), @r"
    usage 2: invalid value 'red' for '--color <WHEN>' [possible values: auto, always, never]
    try: ebb --help
    ");
    insta::assert_snapshot!(wrong(&["join"]), @r"
    usage 2: the following required arguments were not provided: <LINK>
    try: ebb join --help
    ");
    insta::assert_snapshot!(wrong(&["sync", "https://relay.example/j#secret"]), @r"
    usage 2: unexpected argument 'https://relay.example/j#…' found
    try: ebb sync --help
    ");
    insta::assert_snapshot!(wrong(&["completions", "cmd"]), @r"
    usage 2: invalid value 'cmd' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]
    try: ebb completions --help
    ");
    insta::assert_snapshot!(wrong(&["help", "tody"]), @r#"
    unknown-command 2: there is no command "tody"
    try: ebb --help
    "#);
    insta::assert_snapshot!(wrong(&["today", "--json", "--plain"]), @r"
    usage 2: the argument '--json' cannot be used with '--plain'
    try: ebb today --help
    ");
    insta::assert_snapshot!(wrong(&["--at", "2h ago"]), @r"
    usage 2: unexpected argument '--at' found
    try: ebb --help
    ");
}

#[test]
fn the_options_of_every_command_stand_anywhere() {
    for line in [
        &["--json", "-j", "ab", "today"][..],
        &["today", "--json", "-j", "ab"],
        &["-jab", "today", "--json"],
    ] {
        let line = request(line);
        assert_eq!(
            (line.global.form(), line.global.journal.as_deref()),
            (Form::Json, Some("ab"))
        );
    }
    assert_eq!(request(&["6", "--json"]).global.form(), Form::Json);
    assert_eq!(request(&["--plain"]).global.form(), Form::Plain);
}

#[test]
fn the_summary_names_every_command() {
    for command in tree().get_subcommands() {
        assert!(
            HELP.contains(&format!("ebb {}", command.get_name()))
                || HELP.contains(&format!(" {},", command.get_name()))
                || HELP.contains(&format!(", {}\n", command.get_name())),
            "{}",
            command.get_name()
        );
    }
    assert!(HELP.lines().all(|line| line.len() <= 84));
}

#[test]
fn the_tree_is_sound() {
    tree().debug_assert();
}

#[test]
fn help_and_version_are_asked_for_anywhere() {
    for (line, key, text) in [
        (&["--help"][..], "help", "Log\n"),
        (&["help"], "help", "Log\n"),
        (&["help", "relay", "add"], "help", "--token-file"),
        (&["--help", "today"], "help", "Log\n"),
        (&["dose", "--help"], "help", "--planned-at"),
        (&["help", "kinds"], "help", "## `wearing-off`"),
        (&["6", "--help"], "help", "--weakness"),
        (&["--version"], "version", env!("CARGO_PKG_VERSION")),
        (&["-V", "--json"], "version", env!("CARGO_PKG_VERSION")),
    ] {
        match request(line).request {
            Request::Text(what, said) if what == key => {
                assert!(said.contains(text), "{line:?}: {said}")
            }
            other => panic!("{line:?}: {other:?}"),
        }
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let lines = [
        &["join", "https://relay.example/j#secret"][..],
        &[
            "init",
            "--relay",
            "https://relay.example",
            "--token",
            "secret",
        ],
        &["relay", "add", "https://relay.example", "--token", "secret"],
    ];
    for line in lines {
        assert!(
            !format!("{:?}", request(line)).contains("secret"),
            "{line:?}"
        );
    }
}

#[test]
fn no_line_panics() {
    use std::os::unix::ffi::OsStringExt;
    for word in [
        &b"\xff\xfe"[..],
        b"",
        b"-",
        b"--",
        b"--json=",
        b"6\xff",
        b"-\xff",
        "é".as_bytes(),
    ] {
        let line = vec!["ebb".into(), OsString::from_vec(word.to_vec()), "6".into()];
        let _either = read(line);
    }
    assert!(read(Vec::new()).is_ok());
}
