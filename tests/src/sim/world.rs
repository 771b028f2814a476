//! The world: machines, relays and the account of what was written; and what happens in it, step by step.
//!
//! A history is a row of *eras*. In each, everything goes wrong that may; at its end the faults stop, everybody syncs until
//! nothing moves, and the invariants are checked.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use journal::DocumentId;
use journal::change::ChangeHash;
use protocol::log::MemberLog;
use protocol::role::Role;

use super::Options;
use super::check;
use super::driver::Around;
use super::ledger::{Ledger, is_excluded};
use super::machine::Machine;
use super::members::{self, Open};
use super::network::Network;
use super::random::Random;
use super::relay::Shelf;

/// Steps between two times of quiet.
const ERA: u64 = 400;
/// Rounds of syncs after which everything must have come to rest.
const ROUNDS: u32 = 16;
/// The first instant, in milliseconds since the Unix epoch.
const START: i64 = 1_767_225_600_000;
/// The mean length of a step, in milliseconds: a month is a few hundred steps.
const STEP: usize = 4 * 60 * 60 * 1000;

/// Which of the faults that must not meet an era has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Era {
    /// Machines are copied and restored; all sync with one relay that keeps what it has.
    Copies,
    /// Relays lose what they had; there are two.
    Losses,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
    pub(crate) now: i64,
    pub(crate) open: Vec<Open>,
    /// Documents that were looked through, as of these heads.
    pub(crate) scanned: BTreeMap<DocumentId, Vec<ChangeHash>>,
    /// The length of the member log then.
    pub(crate) scanned_log: u32,
    /// How many envelopes hostile members had laid in a relay's store.
    pub(crate) laid: usize,
    era: Era,
    devices: usize,
    trail: Vec<String>,
    verbose: bool,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut random = Random::new(seed);
        let (first, relays) = members::start(&mut random);
        let mut ledger = Ledger::default();
        ledger.records.insert(first.disk.now().log.head());
        let network = Network::new(relays);
        let mut world = Self {
            machines: vec![first],
            network,
            ledger,
            random,
            now: START,
            open: Vec::new(),
            scanned: BTreeMap::new(),
            scanned_log: 0,
            laid: 0,
            era: Era::Copies,
            devices: options.devices.max(2),
            trail: Vec::new(),
            verbose: options.verbose,
        };
        world.people();
        world
    }

    /// Lets the first members in: a second owner, a reader, the rest contributors.
    fn people(&mut self) {
        let roles = [Role::Owner, Role::Contributor, Role::Reader];
        for number in 1..self.devices {
            let role = roles.get(number - 1).copied().unwrap_or(Role::Contributor);
            self.invite(0, role, number == 1);
            self.join();
        }
    }

    /// Runs one history; returns what broke.
    pub(crate) fn run(&mut self, steps: u64) -> Result<(), String> {
        for step in 0..steps {
            if step % ERA == 0 {
                self.begin_era();
            }
            self.step();
            self.broken(step)?;
            if step % ERA == ERA - 1 || step + 1 == steps {
                self.quiet().map_err(|what| self.tell(step, &what))?;
                self.broken(step)?;
            }
        }
        Ok(())
    }

    fn broken(&self, step: u64) -> Result<(), String> {
        match self.ledger.broken.first() {
            Some(what) => Err(self.tell(step, what)),
            None => Ok(()),
        }
    }

    fn tell(&self, step: u64, what: &str) -> String {
        let recent = self.trail.len().saturating_sub(12);
        let trail = self.trail.get(recent..).unwrap_or_default().join("\n  ");
        format!("at step {step}: {what}\n  the last events:\n  {trail}")
    }

    pub(crate) fn note(&mut self, event: impl FnOnce() -> String) {
        let event = event();
        if self.verbose {
            // Whoever reads may have closed it.
            let _ = writeln!(std::io::stderr(), "{event}");
        }
        self.trail.push(event);
        if self.trail.len() > 64 {
            self.trail.remove(0);
        }
    }

    fn begin_era(&mut self) {
        self.era = if self.random.chance(500) {
            Era::Copies
        } else {
            Era::Losses
        };
        self.network.faulty = true;
        let era = self.era;
        self.note(|| format!("an era of {era:?} begins"));
        for machine in &mut self.machines {
            let state = machine.disk.durable().clone();
            machine.backups = vec![state];
        }
        for relay in &mut self.network.relays {
            relay.back_up();
        }
    }

    pub(crate) fn home(&self) -> Option<&Shelf> {
        self.network.relays.first()?.shelf.as_ref()
    }

    /// The machines that are members, as the home relay's log has it.
    pub(crate) fn members(&self) -> Vec<usize> {
        let Some(home) = self.home() else {
            return Vec::new();
        };
        let here = |machine: &&Machine| !machine.gone && home.log.role(&machine.id).is_some();
        self.machines
            .iter()
            .filter(here)
            .map(|of| of.number)
            .collect()
    }

    fn with(
        &mut self,
        machine: usize,
        crashes: usize,
        act: impl FnOnce(&mut Machine, &mut Around<'_>),
    ) {
        let mut around = Around {
            network: &mut self.network,
            ledger: &mut self.ledger,
            random: &mut self.random,
            now: self.now,
            crashes,
        };
        act(&mut self.machines[machine], &mut around);
    }

    /// Runs a whole sync at once, with no crash.
    pub(crate) fn sync_through(&mut self, machine: usize, relay: usize) -> Result<(), String> {
        self.with(machine, 0, |of, around| {
            of.start_sync(relay, around);
            while of.running.is_some() {
                of.advance(around);
            }
        });
        self.machines[machine].last.take().unwrap_or(Ok(()))
    }

    fn step(&mut self) {
        self.now += i64::try_from(self.random.below(2 * STEP)).unwrap_or(0);
        let members = self.members();
        let Some(machine) = self.random.pick(&members).copied() else {
            return;
        };
        match self.random.below(1000) {
            0..=439 => self.use_machine(machine),
            440..=899 => self.go_on(machine),
            900..=939 => self.snapshots(),
            940..=961 => self.turn_hostile(),
            962..=971 => {
                self.note(|| format!("machine {machine} loses power"));
                self.machines[machine].crash();
            }
            972..=976 => self.network.deliver_late(&mut self.random),
            977..=985 => self.change_members(machine),
            986..=993 => self.lose(machine),
            _ => {
                let state = self.machines[machine].disk.durable().clone();
                self.machines[machine].backups.push(state);
            }
        }
    }

    /// An owner makes a snapshot, or has a relay forget what snapshots cover.
    fn snapshots(&mut self) {
        let mut owners = self.members();
        owners.retain(|at| self.machines[*at].role() == Some(Role::Owner));
        let Some(owner) = self.random.pick(&owners).copied() else {
            return;
        };
        let relay = usize::from(self.era == Era::Losses && self.random.chance(300));
        if self.random.chance(400) {
            let shelf = self.network.relays[relay].shelf.as_mut();
            let forgotten = shelf.map_or(0, Shelf::prune);
            if forgotten > 0 {
                self.note(|| format!("relay {relay} forgets {forgotten} envelopes"));
            }
        } else if self.machines[owner].running.is_none()
            && self.sync_through(owner, relay).is_ok()
            && self.machines[owner].is_snapshot_due()
        {
            self.with(owner, 4, |of, around| {
                of.start_snapshot(around);
                of.advance(around);
            });
            self.note(|| format!("machine {owner} makes a snapshot"));
        }
    }

    fn use_machine(&mut self, machine: usize) {
        let writes = self.machines[machine].role().is_some_and(Role::may_write);
        if !writes {
            return;
        }
        let crash = self.random.chance(20);
        let number = self.ledger.entries.len();
        let now = self.now;
        self.machines[machine].write(now, crash, &mut self.ledger, &mut self.random);
        if self.ledger.entries.len() > number && !self.may_write(machine) {
            // It does not know yet that it lost the right to.
            let last = self.ledger.entries.last_entry();
            if let Some(mut last) = last {
                last.get_mut().owed = false;
            }
        }
    }

    fn may_write(&self, machine: usize) -> bool {
        // Not the home relay's: that may have gone back to an earlier one.
        let role = self.newest_log().role(&self.machines[machine].id);
        role.is_some_and(Role::may_write)
    }

    fn go_on(&mut self, machine: usize) {
        if self.machines[machine].running.is_some() {
            self.with(machine, 4, |of, around| of.advance(around));
        } else {
            let relay = usize::from(self.era == Era::Losses && self.random.chance(300));
            self.with(machine, 4, |of, around| {
                of.start_sync(relay, around);
                of.advance(around);
            });
        }
        if let Some(Err(error)) = &self.machines[machine].last {
            let error = error.clone();
            self.note(|| format!("machine {machine}: {error}"));
        }
    }

    /// Lets a hostile member or a removed device try something.
    fn turn_hostile(&mut self) {
        let Some(home) = self.home() else { return };
        let log = home.log.clone();
        if self.random.chance(150) {
            self.lie();
            return;
        }
        let bad = |of: &&Machine| {
            let removed = log
                .devices()
                .get(&of.id)
                .is_some_and(|of| of.removed_at().is_some());
            removed || (of.hostile && log.role(&of.id).is_some() && !of.gone)
        };
        let bad: Vec<usize> = self
            .machines
            .iter()
            .filter(bad)
            .map(|of| of.number)
            .collect();
        let bad = self.random.pick(&bad).copied();
        // A member turns even where removed devices try on: only a member has the keys of what came after a removal.
        match bad.filter(|_| !self.random.chance(150)) {
            Some(machine) => self.attack(machine),
            None => {
                let members = self.members();
                let Some(one) = self.random.pick(&members).copied() else {
                    return;
                };
                let hostile = self.machines[one].role() != Some(Role::Owner);
                self.machines[one].hostile = hostile;
            }
        }
    }

    fn change_members(&mut self, machine: usize) {
        let faulty = std::mem::take(&mut self.network.faulty);
        let members = self.members();
        let role = self.machines[machine].role();
        let owner = role == Some(Role::Owner);
        let roles = [
            Role::Contributor,
            Role::Contributor,
            Role::Reader,
            Role::Owner,
        ];
        let other = self.random.pick(&members).copied().unwrap_or(machine);
        let done = match self.random.below(10) {
            0..=2 if members.len() + self.open.len() < self.devices + 1 => {
                let wanted = self.random.pick(&roles).copied().unwrap_or(Role::Reader);
                let own = !owner || self.random.chance(300);
                let wanted =
                    role.map_or(wanted, |role| if own { role.min(wanted) } else { wanted });
                self.invite(machine, wanted, own)
            }
            3..=6 if members.len() < self.devices => self.join(),
            7..=8 if owner && members.len() + 2 > self.devices => {
                // Best one that still has an invite open: its secret must not lead to the new key.
                let inviter = self
                    .open
                    .iter()
                    .map(|open| open.by)
                    .find(|by| *by != machine);
                let other = inviter.unwrap_or(other);
                let (id, transitive) = (self.machines[other].id, self.random.chance(300));
                let device = self.random.chance(900).then_some(id);
                self.remove(machine, device, transitive)
            }
            9 if owner => {
                let person = self.machines[other].person;
                let wanted = self.random.pick(&roles).copied().unwrap_or(Role::Reader);
                self.set_role(machine, person, wanted)
            }
            _ => false,
        };
        self.network.faulty = faulty;
        if done {
            let length = self.ledger.records.len();
            self.note(|| {
                format!("machine {machine} changed the members with {other}: {length} records")
            });
        }
    }

    /// Something is lost that its owner had: by a machine, or by a relay.
    fn lose(&mut self, machine: usize) {
        // Each copy and each restore leads to rebuilding all that there is: rarer as the history grows.
        if self.era == Era::Copies && self.random.below(1 + self.ledger.carriers.len() / 200) > 0 {
            return;
        }
        match (self.era, self.random.below(4)) {
            (Era::Copies, 0) if self.machines.len() < 200 => {
                let number = self.machines.len();
                let copy = self.machines[machine].copy(number);
                self.machines.push(copy);
                self.machines[machine].life += 1;
                self.note(|| format!("machine {machine} is copied, as {number}"));
            }
            (Era::Copies, 1..=2) => {
                let state = self.random.pick(&self.machines[machine].backups).cloned();
                let Some(state) = state else { return };
                self.machines[machine].restore(state);
                self.excuse_lost();
                self.note(|| format!("machine {machine} is restored from a backup"));
            }
            (Era::Losses, 0) => {
                let at = self.random.below(2);
                self.network.relays[at].lose_all_but(None);
                self.excuse_lost();
                self.note(|| format!("relay {at} loses everything"));
            }
            (Era::Losses, 1..=2) => {
                let at = self.random.below(2);
                let relay = &mut self.network.relays[at];
                let Some(earlier) = self.random.pick(&relay.earlier).cloned() else {
                    return;
                };
                relay.lose_all_but(Some(earlier));
                self.excuse_lost();
                self.note(|| format!("relay {at} goes back to an earlier state"));
            }
            _ => {
                let at = self.random.below(2);
                self.network.relays[at].back_up();
            }
        }
    }

    /// Excuses what has no copy left that anybody counts.
    pub(crate) fn excuse_lost(&mut self) {
        let owed = self.ledger.entries.iter().filter(|(_, entry)| entry.owed);
        let lost: Vec<i64> = owed
            .map(|(mark, _)| *mark)
            .filter(|mark| !self.survives(*mark))
            .collect();
        for mark in lost {
            if let Some(entry) = self.ledger.entries.get_mut(&mark) {
                entry.owed = false;
            }
        }
    }

    /// Whether a mark is still in an envelope that counts, at a relay or with a member, or waits to be sealed.
    fn survives(&self, mark: i64) -> bool {
        let log = self.newest_log();
        let members = self.members();
        let mut carriers = self
            .ledger
            .carriers_of(mark)
            .filter(|of| !is_excluded(&log, of));
        carriers.any(|of| {
            let relays = self.network.relays.iter();
            let mut shelves = relays.filter_map(|relay| relay.shelf.as_ref());
            shelves.any(|shelf| shelf.has(&of.chain, of.seq, &of.hash))
                || members.iter().any(|machine| {
                    let state = self.machines[*machine].disk.durable();
                    state.is_held(&of.chain, of.seq, &of.hash).is_some()
                })
        }) || members.iter().any(|machine| {
            let of = &self.machines[*machine];
            let mut loose = of.disk.durable().loose.iter();
            log.role(&of.id).is_some_and(Role::may_write)
                && loose.any(|change| change.marks.contains(&mark))
        })
    }

    /// The longest log that anyone verified.
    pub(crate) fn newest_log(&self) -> Arc<MemberLog> {
        let logs = self.machines.iter().map(|of| &of.disk.durable().log);
        let logs = logs.chain(self.home().map(|home| &home.log));
        let longest = logs.max_by_key(|log| log.length());
        longest.cloned().expect("there is a machine")
    }

    /// Stops the faults, lets everybody sync until nothing moves, and checks.
    fn quiet(&mut self) -> Result<(), String> {
        self.network.faulty = false;
        self.network.calm();
        for machine in &mut self.machines {
            machine.running = None;
        }
        let mut before = None;
        let mut failures = Vec::new();
        for _ in 0..ROUNDS {
            failures.clear();
            let everyone: Vec<usize> = if self.home().is_some() {
                self.members()
            } else {
                (0..self.machines.len())
                    .filter(|at| !self.machines[*at].gone)
                    .collect()
            };
            for machine in everyone {
                for relay in 0..self.network.relays.len() {
                    if let Err(error) = self.sync_through(machine, relay) {
                        failures.push(format!("machine {machine} with relay {relay}: {error}"));
                    }
                }
            }
            let now = self
                .members()
                .into_iter()
                .map(|machine| self.picture(machine));
            let now: Vec<_> = now.collect();
            if before.as_ref() == Some(&now) && failures.is_empty() {
                return check::all(self);
            }
            before = Some(now);
        }
        Err(format!("it does not come to rest: {}", failures.join("; ")))
    }

    fn picture(&self, machine: usize) -> (u32, usize, protocol::vector::Vector, bool) {
        let of = &self.machines[machine];
        let state = of.disk.now();
        (
            state.log.length(),
            state.loose.len(),
            state.vector(),
            of.is_done(),
        )
    }
}
