# What muster runs in the control container of a Bottlerocket host: it has no shell of its own, only its API client.
if ! command -v apiclient >/dev/null 2>&1; then
  echo "there is no apiclient here"
  exit 3
fi
# In some seconds, so that the end of this command can still be told.
(sleep 10; apiclient reboot) >/dev/null 2>&1 &
echo "the host reboots within a minute"
