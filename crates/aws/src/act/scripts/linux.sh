# What muster runs on a Linux host of ECS. The line before this one sets `action`; nothing else comes from outside.
# Ends with 0: done; 1: done, and the trouble is still there; 2: it could not be done; 3: there is nothing here to do it to.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

has() { command -v "$1" >/dev/null 2>&1; }

# A hung daemon must not hang this script: bounded SECONDS COMMAND...
bounded() {
  if has timeout; then timeout "$@"; else shift && "$@"; fi
}

# The unit of the first of these names that systemd knows.
unit_of() {
  has systemctl || return 1
  for name in "$@"; do
    if systemctl cat "$name.service" >/dev/null 2>&1; then
      echo "$name"
      return 0
    fi
  done
  return 1
}

# The agent answers on the host itself, whatever the network beyond says.
agent_answers() {
  url=http://localhost:51678/v1/metadata
  if has curl; then
    curl -fsS --noproxy '*' --max-time 2 -o /dev/null "$url" 2>/dev/null
  elif has wget; then
    wget -q --no-proxy -T 2 -t 1 -O /dev/null "$url" 2>/dev/null
  else
    echo "neither curl nor wget is here: whether the agent answers was not checked"
  fi
}

last_words() {
  if has journalctl && [ -n "${unit:-}" ]; then
    bounded 10 journalctl -u "$unit" -n 20 --no-pager 2>/dev/null | tail -c 1500
  else
    tail -n 20 /var/log/ecs/ecs-agent.log 2>/dev/null | tail -c 1500
  fi
}

wait_for_agent() {
  tries=20
  while [ "$tries" -gt 0 ]; do
    if agent_answers; then
      echo "the agent answers on the host"
      exit 0
    fi
    tries=$((tries - 1))
    sleep 2
  done
  last_words
  echo "the agent does not answer on the host after its restart"
  exit 1
}

restart_agent() {
  if unit=$(unit_of ecs amazon-ecs); then
    # The agent cannot start without its runtime; one that runs is left alone, and so are the tasks.
    if runtime=$(unit_of docker) && ! systemctl is-active --quiet "$runtime"; then
      systemctl start "$runtime" || echo "$runtime did not start"
    fi
    systemctl restart "$unit" || { last_words; echo "systemctl restart $unit failed"; exit 2; }
  elif has initctl && initctl status ecs >/dev/null 2>&1; then
    initctl stop ecs >/dev/null 2>&1
    initctl start ecs || { echo "initctl start ecs failed"; exit 2; }
  elif has docker && bounded 20 docker inspect ecs-agent >/dev/null 2>&1; then
    bounded 60 docker restart ecs-agent >/dev/null || { echo "docker restart ecs-agent failed"; exit 2; }
  else
    echo "no ECS agent is installed under systemd, upstart or docker"
    exit 3
  fi
  wait_for_agent
}

restart_runtime() {
  if runtime=$(unit_of docker containerd); then
    systemctl restart "$runtime" || { echo "systemctl restart $runtime failed"; exit 2; }
  elif has service && has docker; then
    service docker restart || { echo "service docker restart failed"; exit 2; }
  else
    echo "no container runtime is installed as a service"
    exit 3
  fi
  if has docker && ! bounded 20 docker ps -q >/dev/null 2>&1; then
    echo "the container runtime does not answer after its restart"
    exit 1
  fi
  # The agent is restarted with Docker under systemd, and not elsewhere.
  if unit=$(unit_of ecs amazon-ecs); then
    systemctl is-active --quiet "$unit" || systemctl start "$unit"
  elif has initctl && initctl status ecs >/dev/null 2>&1; then
    initctl start ecs >/dev/null 2>&1
  fi
  wait_for_agent
}

# In a minute, so that the end of this command can still be told.
reboot_soon() {
  shutdown -r +1 "muster reboots this host" || { echo "shutdown -r failed"; exit 2; }
  echo "the host reboots within a minute"
}

part() { printf '\n=== muster: %s ===\n' "$1"; }

show() {
  if [ -r "$1" ]; then tail -n 300 "$1" | tail -c "$2"; else echo "$1 is not there or cannot be read"; fi
}

# SSM keeps the first 24,000 characters.
save_evidence() {
  part "agent log"
  show /var/log/ecs/ecs-agent.log 8000
  part "init log"
  show /var/log/ecs/ecs-init.log 3500
  part "journal of the agent"
  if has journalctl && unit=$(unit_of ecs amazon-ecs); then
    bounded 10 journalctl -u "$unit" -n 100 --no-pager 2>&1 | tail -c 5000
  else
    echo "there is no journal of a unit ecs or amazon-ecs"
  fi
  part "docker state"
  if has docker; then
    { bounded 10 docker ps -a 2>&1 || echo "docker does not answer"; } | head -c 3500
  else
    echo "there is no docker command"
  fi
  part "machine state"
  { uptime; df -h / /var/lib/docker; free -m; } 2>&1 | head -c 1500
}

case "${action:-}" in
  restart-agent) restart_agent ;;
  restart-runtime) restart_runtime ;;
  reboot) reboot_soon ;;
  save-evidence) save_evidence ;;
  *) echo "this action is not known here"; exit 3 ;;
esac
