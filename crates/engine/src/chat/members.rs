//! Members: listing, adding, changing, removing.

use sealroom_domain::{
    ErrorCode, Extra, GroupId, Refusal, RemovalReason, Role, UserId,
    ports::{Guard, Member, NewBody, NewEntry, RefusedEntry, StoreError},
};
use tokio::sync::oneshot;

use super::{Actor, Chat, MembershipKeeper, read_marks::absent};
use crate::writer::{Authority, Receipt, WriteError, Writer, Written};

/// Why an owner cannot go.
const LAST_OWNER: &str = "The last owner cannot leave or lose the role";

impl Chat {
    /// The members of a group, by ascending user id.
    ///
    /// Refusals: `not_a_member` (`not_found` for an admin), `unavailable`, `shutting_down`.
    pub async fn members(&self, actor: Actor, group_id: GroupId) -> Result<Vec<Member>, Refusal> {
        self.group(actor, group_id).await?;
        let members = self
            .ports
            .memberships
            .members_of(group_id)
            .await
            .map_err(|error| self.failed("list members", &error))?;
        self.check_sight(actor, group_id).await?;
        Ok(members)
    }

    /// Adds a member, or changes its role; without a role a new one is [`Role::Member`] and a present one stays as it
    /// is. Owners give every role, admins those up to their own; nobody changes who stands above.
    ///
    /// Refusals: `not_a_member`, `forbidden`, `not_found` (no such group for an admin, or a user that is not known
    /// where tokens do not make users known), `conflict` for the last owner, `limit_exceeded` for a full group or a user
    /// with too many groups, `unavailable`, `shutting_down`.
    pub async fn put_member(
        &self,
        actor: Actor,
        group_id: GroupId,
        user_id: UserId,
        role: Option<Role>,
    ) -> Result<Member, Refusal> {
        self.check_open()?;
        let (own, present) = self.roles_of(group_id, actor, user_id).await?;
        self.check_known(&[user_id]).await?;
        let role = role.or(present).unwrap_or(Role::Member);
        if let Some(own) = own {
            check_rank(own, role.max(present.unwrap_or(role)))?;
        }
        let member = Member { user_id, role };
        if self.options.membership_keeper == MembershipKeeper::Host && present == Some(role) {
            return Ok(member);
        }
        let guard = self.guard(own.map(|_| Role::Admin), own.is_some());
        let body = NewBody::SetMember {
            user_id,
            role,
            limits: self.member_limits(),
        };
        let entry = self.change(actor, group_id, body, guard);
        let memberships = self.ports.memberships.clone();
        self.change_with_host(actor, entry, "set a membership", async move {
            memberships.set(group_id, user_id, role).await
        })
        .await?;
        Ok(member)
    }

    /// Removes a member, or leaves. Returns after the sockets of this server were told and evicted.
    ///
    /// Refusals: `not_a_member`, `forbidden`, `not_found` for a user that is not a member, `conflict` for the last
    /// owner, `unavailable`, `shutting_down`.
    pub async fn remove_member(
        &self,
        actor: Actor,
        group_id: GroupId,
        user_id: UserId,
    ) -> Result<(), Refusal> {
        self.check_open()?;
        let leaves = actor.user_id == user_id;
        let (own, present) = self.roles_of(group_id, actor, user_id).await?;
        let Some(present) = present else {
            return Err(ErrorCode::NotFound.into());
        };
        if let Some(own) = own
            && !leaves
        {
            check_rank(own, present)?;
        }
        let reason = if leaves {
            RemovalReason::Left
        } else {
            RemovalReason::Removed
        };
        let least = own.map(|_| if leaves { Role::Member } else { Role::Admin });
        let guard = self.guard(least, own.is_some());
        let entry = self.change(actor, group_id, NewBody::RemoveMember { user_id, reason }, guard);
        let memberships = self.ports.memberships.clone();
        self.change_with_host(actor, entry, "remove a membership", async move {
            memberships.remove(group_id, user_id).await.map(drop)
        })
        .await
    }

    /// The host application has ended a membership in its own tables: writes the entry and evicts. To be called
    /// after the host's own change; see [`MembershipKeeper::Host`].
    ///
    /// Refusals: `not_found` for a group that Sealroom does not know, `unavailable`, `shutting_down`.
    pub async fn member_removed(
        &self,
        actor_id: UserId,
        group_id: GroupId,
        user_id: UserId,
        reason: RemovalReason,
    ) -> Result<(), Refusal> {
        let actor = Actor {
            user_id: actor_id,
            admin: true,
        };
        let guard = self.guard(None, false);
        let entry = self.change(actor, group_id, NewBody::RemoveMember { user_id, reason }, guard);
        self.outcome(actor, submit(&self.writer, entry)).await
    }

    /// The actor's role, or `None` where its scope stands above roles, and the user's role.
    async fn roles_of(
        &self,
        group_id: GroupId,
        actor: Actor,
        user_id: UserId,
    ) -> Result<(Option<Role>, Option<Role>), Refusal> {
        let roles = self
            .ports
            .memberships
            .roles(&[(group_id, actor.user_id), (group_id, user_id)])
            .await
            .map_err(|error| self.failed("ask for roles", &error))?;
        let (own, present) = match roles.as_slice() {
            [own, present] => (*own, *present),
            _ => (None, None),
        };
        match own {
            _ if actor.admin => Ok((None, present)),
            Some(own) => Ok((Some(own), present)),
            None => Err(ErrorCode::NotAMember.into()),
        }
    }

    pub(super) fn change(&self, actor: Actor, group_id: GroupId, body: NewBody, guard: Guard) -> NewEntry {
        NewEntry {
            group_id,
            actor_id: actor.user_id,
            at: self.ports.clock.now(),
            body,
            guard,
        }
    }

    /// Appends a change of members. Where the host keeps the memberships, `at_host` comes before, and both are in one
    /// task: a caller that goes away in between would leave a member without an entry, or one that is gone and still
    /// receives.
    pub(super) async fn change_with_host(
        &self,
        actor: Actor,
        entry: NewEntry,
        attempt: &'static str,
        at_host: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), Refusal> {
        let written = match self.options.membership_keeper {
            MembershipKeeper::Store => submit(&self.writer, entry),
            MembershipKeeper::Host => {
                let writer = self.writer.clone();
                self.detached(attempt, async move {
                    at_host.await?;
                    Ok(submit(&writer, entry))
                })
                .await?
            }
        };
        self.outcome(actor, written).await
    }

    async fn outcome(&self, actor: Actor, answered: Outcome) -> Result<(), Refusal> {
        match answered.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(WriteError::Failed(refusal))) => Err(refusal),
            Ok(Err(WriteError::Refused(refused))) => Err(self.refused_change(actor, refused)),
            Err(_) => Err(Refusal::unavailable()),
        }
    }

    /// What a refused change of members is called.
    pub(super) fn refused_change(&self, actor: Actor, refused: RefusedEntry) -> Refusal {
        let limits = self.member_limits();
        match refused {
            RefusedEntry::UnknownGroup => absent(actor).into(),
            RefusedEntry::LastOwner => Refusal::conflict(LAST_OWNER),
            RefusedEntry::GroupFull => limit_reached(limits.per_group),
            RefusedEntry::TooManyGroups => limit_reached(limits.per_user),
            // The actor's role changed since it was asked for.
            _ => ErrorCode::Forbidden.into(),
        }
    }
}

/// What becomes of a submitted entry. Nobody needs to wait for it: the entry stands all the same.
type Outcome = oneshot::Receiver<Result<Written, WriteError>>;

fn submit(writer: &Writer, entry: NewEntry) -> Outcome {
    let (answer, answered) = oneshot::channel();
    let receipt = Receipt::new(None, move |result| {
        // The caller may have gone away.
        let _ = answer.send(result);
    });
    writer.submit(entry, Authority::Given, receipt);
    answered
}

/// A role gives power up to its own rank.
fn check_rank(own: Role, touched: Role) -> Result<(), Refusal> {
    if own >= Role::Admin && own >= touched {
        Ok(())
    } else {
        Err(ErrorCode::Forbidden.into())
    }
}

/// `limit_exceeded`, with the limit.
pub(super) fn limit_reached(limit: Option<usize>) -> Refusal {
    let refusal = Refusal::new(ErrorCode::LimitExceeded);
    match limit {
        Some(limit) => refusal.with(Extra::Limit(limit)),
        None => refusal,
    }
}
