//! What stands at the end of each command's `--help`: examples, and what its exit codes mean.

pub(super) const ALL: &str = "\
Exit codes of every command:
  0  fine
  1  findings: errors in a mapping, a failed test, a difference, a record that was refused
  2  a wrong call or configuration
  3  a CRM or the store failed

`mapwright COMMAND --help` has examples.";

pub(super) const INIT: &str = "\
Examples:
  mapwright init my-project   a new project in a new folder
  mapwright init              in this folder, where no file is in the way

Exit codes:
  0  written
  2  a file is in the way, or the folder cannot be written";

pub(super) const CHECK: &str = "\
Examples:
  mapwright check                             all of the project
  mapwright check leads.map                   the findings of one file
  mapwright check --fix                       mend what needs no decision
  mapwright check --format sarif > out.sarif  for code scanning
  mapwright check --deny-warnings             for a pull request

Exit codes:
  0  no error; with --deny-warnings, no finding at all
  1  findings; with --fix, those that remain
  2  a wrong call, or no project";

pub(super) const FMT: &str = "\
Examples:
  mapwright fmt                 all `.map` files of the project
  mapwright fmt --check         show what would be changed, and change nothing
  mapwright fmt - < leads.map   for an editor: from standard input to standard output

Exit codes:
  0  in canonical form now; with --check, it was already
  1  a file with a mistake, or one that is not UTF-8; with --check, a difference too
  2  a wrong call, a file that is not there, or no project";

pub(super) const TEST: &str = "\
Examples:
  mapwright test                     every test of the project
  mapwright test mql_to_lead         those of one mapping
  mapwright test leads_tests.map     those of one file
  mapwright test \"no e-mail\"         those with this in their name
  mapwright test --coverage          and what no test exercises
  mapwright test --coverage-min 95   fail below 95 %

Exit codes:
  0  all passed
  1  a test failed, the coverage is too low, or the project has errors
  2  a wrong call, no project, or no test that the filter takes";

pub(super) const EVAL: &str = "\
Examples:
  mapwright eval mql_to_lead contacts.ndjson
  mapwright eval mql_to_lead --provenance < contacts.ndjson

Exit codes:
  0  every record was mapped
  1  a record was not, or the project has errors
  2  a wrong call, no project, or no such mapping";

pub(super) const PLAN: &str = "\
Examples:
  mapwright plan mql_to_lead --record 5501
  mapwright plan mql_to_lead --record 5501 --json

Exit codes:
  0  shown; nothing was written
  1  the record would be parked, or the project has errors
  2  a wrong call or configuration
  3  a CRM failed";

pub(super) const RUN: &str = "\
Examples:
  mapwright run mql_to_lead --record 5501

Exit codes:
  0  done
  1  the record was parked, or the project has errors
  2  a wrong call or configuration
  3  a CRM or the store failed";

pub(super) const BACKFILL: &str = "\
Examples:
  mapwright backfill mql_to_lead --dry-run              what it would do, and what it costs
  mapwright backfill mql_to_lead --where 'createdate >= datetime(\"2026-01-01T00:00:00Z\")'
  mapwright backfill mql_to_lead --refused refused.csv  with what a person must look at
  mapwright backfill account_company --from salesforce --limit 100

Exit codes:
  0  every record is done
  1  some records are parked, or the project has errors
  2  a wrong call or configuration, or another backfill is at work
  3  a CRM or the store failed, or it was stopped; what is done is kept

Run again after it was stopped or killed, it goes on where it was; --restart begins anew. It may run beside `serve`.";

pub(super) const SERVE: &str = "\
Examples:
  mapwright serve
  mapwright serve --listen 127.0.0.1:8080
  mapwright serve --log json 2>> mapwright.log

Exit codes:
  0  ended by a signal, with everything settled
  1  the project has errors
  2  a wrong call or configuration, or another process serves this store
  3  the store failed, or the address is taken";

pub(super) const WHY: &str = "\
Examples:
  mapwright why Lead 00Q5e00000abcdeEAA            all that is known of a record
  mapwright why Lead 00Q5e00000abcdeEAA LastName   where one value comes from
  mapwright why contact 5501 --side hubspot        what became of a source record
  mapwright why Lead 00Q5e00000abcdeEAA --json

Exit codes:
  0  told
  1  the store knows nothing of the record, or no rule wrote the field
  2  a wrong call or configuration, or no such object, field or pair
  3  the store failed";

pub(super) const DOCTOR: &str = "\
Examples:
  mapwright doctor
  mapwright doctor --json
  mapwright doctor --pair main

Exit codes:
  0  all is well; there may be warnings
  1  problems, or the project has errors
  2  a wrong call or configuration
  3  a CRM or the store could not be reached";

pub(super) const SCHEMA: &str = "\
Examples:
  mapwright schema pull                         both snapshots
  mapwright schema pull salesforce              one of them
  mapwright schema pull --object hubspot.ticket  and an object more
  mapwright schema pull --all                   every object that a mapping could be about

Exit codes:
  0  the snapshots are up to date now
  1  a snapshot that is there has errors
  2  a wrong call or configuration
  3  a CRM failed; nothing was written";

pub(super) const DRIFT: &str = "\
Examples:
  mapwright drift
  mapwright drift --format github   for a nightly job

Exit codes:
  0  the CRMs are as the snapshots say
  1  they are not, or the project has errors
  2  a wrong call or configuration
  3  a CRM failed";

pub(super) const PERMISSIONS: &str = "\
Examples:
  mapwright permissions
  mapwright permissions --salesforce-xml > Mapwright.permissionset-meta.xml

Exit codes:
  0  everything is granted, or no account is configured to compare with
  1  something is missing, or the project has errors
  2  a wrong call or configuration
  3  a CRM failed";

pub(super) const COST: &str = "\
Examples:
  mapwright cost
  mapwright cost --events-per-day 5000

Exit codes:
  0  shown; with --events-per-day, within the limits that are known
  1  more than a limit allows, or the project has errors
  2  a wrong call or configuration
  3  a CRM failed";

pub(super) const AUTH: &str = "\
Examples:
  mapwright auth key             a fresh key, for MAPWRIGHT_KEY; keep it where you keep secrets
  mapwright auth login hubspot   opens the browser, and waits for it to come back
  mapwright auth login salesforce --pair emea --no-browser
  mapwright auth status          who is logged in, and with which key it is sealed
  mapwright auth status --check  the same, and each CRM is asked whether it accepts that
  mapwright auth logout hubspot

Exit codes:
  0  done; of status: every pair can prove who it is
  1  the access was denied, is not enough or is for another account, or nobody came back; of status: a login is missing
     or cannot be opened
  2  a wrong call or configuration, or a key that is not the one
  3  a CRM or the store failed, or the port is taken";

pub(super) const PARKED: &str = "\
Examples:
  mapwright parked list
  mapwright parked show 7
  mapwright parked retry 7

Exit codes:
  0  done
  2  a wrong call or configuration, or no such record
  3  the store failed";

pub(super) const SANDBOX: &str = "\
Examples:
  mapwright sandbox --seed sandbox.yaml
  mapwright sandbox --hubspot-port 4010 --salesforce-port 4011 --json

Exit codes:
  0  ended by a signal
  2  a wrong call, a port that is taken, or a seed that cannot be read";

pub(super) const DEMO: &str = "\
Examples:
  mapwright demo
  mapwright demo --json

Exit codes:
  0  every step went as told
  1  one did not
  3  a port or the store failed";

pub(super) const EXPLAIN: &str = "\
Examples:
  mapwright explain E0202

Exit codes:
  0  printed
  2  no such code";

pub(super) const FUNCTIONS: &str = "\
Examples:
  mapwright functions            all of them, a line each
  mapwright functions truncate   one, with examples

Exit codes:
  0  printed
  2  no such function";

pub(super) const COMPLETIONS: &str = "\
Examples:
  mapwright completions bash > /etc/bash_completion.d/mapwright

Exit codes:
  0  printed
  2  a shell that is not known";
