#!/usr/bin/env bash
# A real SLURM of one node on loopback, for tests: `up DIR`, `down DIR`, and `probe`: installs Debian's packages where they
# are missing, brings it up and down once, and says in one line why that cannot be. Everything lies in DIR but for two links
# in /etc/slurm, which job steps need because their executor drops SLURM_CONF. The cards are a stand-in: two device files
# that exist everywhere, so that SLURM has something to count.
set -euo pipefail
verb=${1:?probe, up or down}
home=${2:-/tmp/emsteer-slurm}
host=$(hostname -s)
export SLURM_CONF=$home/slurm.conf

probe() {
  [ "$(id -u)" = 0 ] || { echo "SLURM's daemons need root"; return 1; }
  there || install >/dev/null 2>&1 || { echo "its packages cannot be installed"; return 1; }
  { up && down || { down; false; }; } >/dev/null 2>&1 || { echo "it does not come up on this machine"; return 1; }
}

there() { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null

install() {
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d made= status=0
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=1; }  # no daemon starts by itself
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge; } || status=1
  [ -z "$made" ] || rm -f $policy
  return $status
}

up() {
  mkdir -p "$home"/{state,spool}
  cat >"$home/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MinJobAge=600
KillWait=5
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=16000 Gres=gpu:2
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
  echo "NodeName=$host Name=gpu File=/dev/null,/dev/zero" >"$home/gres.conf"
  mkdir -p /etc/slurm
  for name in slurm.conf gres.conf; do
    if [ -e /etc/slurm/$name ] && [ ! -L /etc/slurm/$name ]; then echo "/etc/slurm/$name: there is a SLURM here already" >&2; return 1; fi
    ln -sfn "$home/$name" /etc/slurm/$name
  done
  head -c 1024 /dev/urandom >"$home/munge.key" && chmod 400 "$home/munge.key"
  munged --force --key-file="$home/munge.key" --socket="$home/munge.sock" --pid-file="$home/munged.pid" \
    --log-file="$home/munged.log" --seed-file="$home/munged.seed" --num-threads=2
  slurmctld
  slurmd -N "$host"
  for _ in $(seq 60); do
    if sinfo -h -o %T 2>/dev/null | grep -q idle; then return 0; fi
    sleep 0.5
  done
  echo "SLURM did not come up" >&2
  tail -n 5 "$home"/*.log >&2
  return 1
}

down() {
  scancel --user=root 2>/dev/null || true
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$home/$daemon.pid" 2>/dev/null || true)
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    for _ in $(seq 40); do if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then sleep 0.25; fi; done
  done
  for name in slurm.conf gres.conf; do
    if [ "$(readlink /etc/slurm/$name)" = "$home/$name" ]; then rm -f /etc/slurm/$name; fi
  done
  rm -rf "$home"
}

"$verb"
