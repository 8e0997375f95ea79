# What muster runs on a Windows host of ECS. The line before this one sets $action; nothing else comes from outside.
# Ends with 0: done; 1: done, and the trouble is still there; 2: it could not be done; 3: there is nothing here to do it to.
$ProgressPreference = 'SilentlyContinue'
$logs = 'C:\ProgramData\Amazon\ECS\log'

function Test-Agent {
  try {
    Invoke-RestMethod -Uri 'http://localhost:51678/v1/metadata' -TimeoutSec 2 -ErrorAction Stop | Out-Null
    return $true
  } catch { return $false }
}

function Wait-Agent {
  foreach ($try in 1..20) {
    if (Test-Agent) { 'the agent answers on the host'; exit 0 }
    Start-Sleep -Seconds 2
  }
  Get-Content -Path "$logs\ecs-agent.log" -Tail 20 -ErrorAction SilentlyContinue
  'the agent does not answer on the host after its restart'
  exit 1
}

function Restart-One($name) {
  if (-not (Get-Service -Name $name -ErrorAction SilentlyContinue)) {
    "there is no service $name"
    exit 3
  }
  try { Restart-Service -Name $name -Force -ErrorAction Stop } catch { "$name did not restart: $_"; exit 2 }
}

function Show-Part($name, $most, $read) {
  "`n=== muster: $name ==="
  try { $text = (& $read | Out-String) } catch { $text = "could not be read: $_" }
  if ($text.Length -gt $most) { $text = $text.Substring($text.Length - $most) }
  $text
}

switch ($action) {
  'restart-agent' { Restart-One 'AmazonECS'; Wait-Agent }
  'restart-runtime' {
    Restart-One 'docker'
    if ((Get-Service -Name 'AmazonECS' -ErrorAction SilentlyContinue).Status -ne 'Running') {
      Start-Service -Name 'AmazonECS' -ErrorAction SilentlyContinue
    }
    Wait-Agent
  }
  'reboot' {
    shutdown.exe /r /t 60 /c 'muster reboots this host'
    if ($LASTEXITCODE -ne 0) { 'shutdown failed'; exit 2 }
    'the host reboots within a minute'
  }
  'save-evidence' {
    Show-Part 'agent log' 10000 { Get-Content -Path "$logs\ecs-agent.log" -Tail 200 -ErrorAction Stop }
    Show-Part 'services' 2000 { Get-Service -Name 'AmazonECS', 'docker' -ErrorAction SilentlyContinue | Format-Table Name, Status }
    Show-Part 'docker state' 4000 { docker ps -a 2>&1 }
    Show-Part 'docker events' 5000 {
      Get-EventLog -LogName Application -Source docker -Newest 40 -ErrorAction Stop | Format-Table TimeGenerated, Message -Wrap
    }
  }
  default { 'this action is not known here'; exit 3 }
}
