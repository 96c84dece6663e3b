# Starts the server, and stops it when the program that asked for it is gone.
#
# Standard input is a pipe whose other end that program alone holds: orders come
# through it, and its end is the program's end, whatever killed it. Standard
# output says the server's number, and closes when all its processes are gone.
# Standard error is the lock on the data: held open until the last of this is
# done, and never written to.
#
# $1 programs, $2 data, $3 log, $4 the socket's folder, removed at the end with
# all that is in it, $5 an option for initdb or nothing; the rest are the server's.

trap '' HUP INT TERM
umask 077
exec 8>&2 2>/dev/null
programs=$1 data=$2 log=$3 socket=$4 initdb_option=$5
shift 5

# A data folder appears whole, by a rename, or not at all.
if [ ! -d "$data" ]; then
    rm -rf -- "$data.new"
    if ! "$programs/initdb" -D "$data.new" -U retentiond --auth=trust --no-locale -E UTF8 \
        --no-instructions ${initdb_option:+"$initdb_option"} </dev/null >>"$log" 2>&1 8>&- ||
        ! mv "$data.new" "$data"; then
        exec >&-
        while read -r order; do :; done # the log is read before it is removed
        rm -rf -- "$socket"
        exit 1
    fi
fi

"$programs/postgres" -D "$data" "$@" 9>&1 </dev/null >>"$log" 2>&1 8>&- &
server=$!
echo "$server"
exec >&-

# Until it is waited for, the number stays the server's own: no other process
# can be hit by these signals.
stop_at_once() {
    if [ -n "$server" ]; then
        kill -QUIT "$server"
        wait "$server"
        server=
    fi
}

while read -r order; do
    case $order in
    fast) if [ -n "$server" ]; then kill -INT "$server"; fi ;;
    immediate) stop_at_once ;;
    handover) exit 0 ;;
    esac
done
stop_at_once
rm -rf -- "$socket"
