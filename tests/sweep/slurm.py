"""A Slurm of this computer alone: munged, slurmctld and three slurmd on the loopback address, all files in one folder.

`with Slurm(folder) as slurm:` starts the daemons and ends them, whatever happens; slurm.environment is what sbatch and the others need.
Nothing of an installed Slurm or munge is read or changed. Needs root, as slurmd does.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

NODES = ("n1", "n2", "n3")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "sinfo")


def missing():
    """Why there can be no Slurm here; empty when there can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    absent = [p for p in PROGRAMS if shutil.which(p, path=path) is None]
    if absent:
        return "not installed: " + ", ".join(absent)
    return "" if os.geteuid() == 0 else "slurmd needs root"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def end_with_parent():
    """A daemon must not outlive a test that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Slurm:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.daemons = {}
        self.environment = dict(os.environ, SLURM_CONF=str(self.folder / "slurm.conf"))
        self.environment["PATH"] += ":/usr/sbin:/sbin"

    def __enter__(self):
        try:
            self.configure()
            self.start("munged", "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
                       f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munged.seed",
                       f"--log-file={self.folder}/munged.log", "--num-threads=2")
            self.until(lambda: (self.folder / "munge.socket").exists(), "munged")
            self.start("slurmctld", "slurmctld", "-D")
            for node in NODES:
                self.start_node(node)
            self.until(lambda: self.states().count("idle") == len(NODES), "three idle nodes")
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if "slurmctld" in self.daemons:
            try:
                self.run("scancel", "--user=root", timeout=10)
            except subprocess.TimeoutExpired:
                pass
        for name in reversed(list(self.daemons)):
            self.stop(name)
        self.end_steps()

    def configure(self):
        control, *nodes = free_ports(1 + len(NODES))
        for name in ("state", *NODES):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(64))
        key.chmod(0o600)
        lines = [
            "ClusterName=loopback", "SlurmctldHost=localhost(127.0.0.1)", "SlurmctldAddr=127.0.0.1", f"SlurmctldPort={control}",
            "SlurmUser=root", "SlurmdUser=root", "AuthType=auth/munge", "CryptoType=crypto/munge",
            f"AuthInfo=socket={self.folder}/munge.socket", f"StateSaveLocation={self.folder}/state", f"SlurmdSpoolDir={self.folder}/%n",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid", f"SlurmdPidFile={self.folder}/%n.pid", f"SlurmctldLogFile={self.folder}/slurmctld.log",
            f"SlurmdLogFile={self.folder}/%n.log", "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core", "SchedulerType=sched/backfill", "SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2,"
            "requeue_setup_env_fail", "JobAcctGatherType=jobacct_gather/none", "AccountingStorageType=accounting_storage/none", "MpiDefault=none",
            "ReturnToService=2", "SlurmdTimeout=10", "MessageTimeout=30", "KillWait=2", "MinJobAge=300", "JobRequeue=1", "SwitchType=switch/none",
            "SlurmdParameters=config_overrides", "CommunicationParameters=NoAddrCache", "MailProg=/bin/true",
        ]
        if self.version() < (23, 11):
            lines = [line for line in lines if line not in ("SlurmctldAddr=127.0.0.1",)]
        else:
            lines = [line for line in lines if not line.startswith("CryptoType")]
        for node, port in zip(NODES, nodes):
            lines.append(f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=1000 State=UNKNOWN")
        lines.append(f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP")
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n" if self.version() >= (23, 2) else "CgroupAutomount=no\n")

    def version(self):
        text = subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, env=self.environment, timeout=30).stdout
        return tuple(int(n) for n in text.split()[1].split(".")[:2])

    def start(self, name, *words):
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder,
                                                  start_new_session=True, preexec_fn=end_with_parent)

    def start_node(self, node):
        self.start(node, "slurmd", "-D", "-N", node)

    def stop(self, name):
        daemon = self.daemons.pop(name)
        if daemon.poll() is None:
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def end_steps(self, node=None):
        """Ends what a node's daemon (all daemons) started, as if its power had failed: slurmstepd first, which would report the end of its job."""
        jobs, keepers = set(), set()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                keeper = b"slurmstepd" in (pathlib.Path("/proc") / parent / "cmdline").read_bytes()
            except OSError:
                continue
            names = [n for n in NODES if f"SLURMD_NODENAME={n}".encode() in environment]
            if f"SLURM_CONF={self.folder}/slurm.conf".encode() not in environment or not names or node not in (None, *names):
                continue
            jobs.add(int(entry.name))
            if keeper:
                keepers.add(int(parent))
        for process in [*keepers, *jobs]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def take_down(self, node):
        """The node vanishes in the middle of its work."""
        self.daemons[node].kill()
        self.daemons.pop(node).wait()
        self.end_steps(node)
        # What slurmctld finds by itself after SlurmdTimeout.
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=vanished")

    def bring_back(self, node):
        self.start_node(node)
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def hasten(self):
        """A requeued job waits for two minutes before it may start, which a test need not."""
        for job in self.jobs():
            if " PENDING BeginTime" in job:
                self.run("scontrol", "update", f"JobId={job.split()[0]}", "StartTime=now")

    def run(self, *words, **more):
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, **{"timeout": 120, **more})

    def states(self):
        return self.run("sinfo", "--noheader", "--Node", "--format=%T").stdout.split()

    def jobs(self):
        return [line for line in self.run("squeue", "--noheader", "--array", "--format=%F_%K %T %r %R").stdout.splitlines() if line.strip()]

    def until(self, true, what, seconds=60):
        end = time.monotonic() + seconds
        while not true():
            for name, daemon in self.daemons.items():
                if daemon.poll() is not None:
                    raise RuntimeError(f"{name} ended: {self.logs()}")
            if time.monotonic() > end:
                raise RuntimeError(f"waited {seconds} s for {what}: {self.logs()}")
            time.sleep(0.2)

    def logs(self):
        texts = []
        for file in sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out")):
            texts.append(f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(texts)
