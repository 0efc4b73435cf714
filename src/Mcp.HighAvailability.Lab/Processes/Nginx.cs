namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>An nginx of Lab's own, on the loopback address, that hands requests to one server after the other.</summary>
/// <remarks>It is what an operator would write by hand, and the reasons are in the configuration itself: see <see cref="Configuration"/>.</remarks>
internal static class Nginx
{
    private static readonly TimeSpan DefaultSilence = TimeSpan.FromSeconds(20);

    /// <summary>The program, or <see langword="null"/> where it is not installed. Debian keeps it off the PATH of ordinary users.</summary>
    public static string? Executable { get; } = OperatingSystem.IsWindows() ? null
        : Executables.Find("nginx") ?? new[] { "/usr/sbin/nginx", "/usr/local/sbin/nginx" }.FirstOrDefault(File.Exists);

    /// <summary>Writes the configuration and says how to run nginx with it. It stays in the foreground; SIGTERM ends it at once.</summary>
    /// <param name="port">Where it listens.</param>
    /// <param name="servers">Addresses of replicas, or of balancers. They need not be up.</param>
    /// <param name="folder">Its own folder: configuration, process id, temporary files.</param>
    /// <param name="logFile">Where it writes what went wrong.</param>
    /// <param name="silence">A server that sends nothing for so long is taken for frozen: longer than the servers' keep-alive interval. Default: 20 s.</param>
    /// <param name="balancers">The servers are balancers: one that answers 503 has asked every replica, and the next could only ask them again.</param>
    public static ProcessSpec At(int port, IReadOnlyList<Uri> servers, string folder, string logFile, TimeSpan? silence = null, bool balancers = false)
    {
        Configure(port, servers, folder, silence, balancers);
        return new(
            "nginx",
            Executable ?? throw new LabException("nginx is not installed: apt-get install nginx, or brew install nginx."),
            ["-p", folder, "-c", ConfigurationFile(folder), "-e", "stderr"],
            new Dictionary<string, string?>(),
            folder,
            logFile);
    }

    /// <summary>
    /// Writes the configuration anew for other servers. A running nginx reads it on <see cref="Signal.Reload"/>; exchanges under way stay where
    /// they are, idle connections of clients are closed, and a request that is just being sent on one of them breaks. So servers that keep
    /// their addresses when they are restarted are better than a reload.
    /// </summary>
    public static void Configure(int port, IReadOnlyList<Uri> servers, string folder, TimeSpan? silence = null, bool balancers = false)
    {
        Directory.CreateDirectory(folder);
        var temporary = ConfigurationFile(folder) + ".new";
        File.WriteAllText(temporary, Configuration(port, servers, folder, silence ?? DefaultSilence, balancers));
        File.Move(temporary, ConfigurationFile(folder), overwrite: true);
    }

    /// <summary>The configuration.</summary>
    public static string Configuration(int port, IReadOnlyList<Uri> servers, string folder, TimeSpan silence, bool balancers = false) => $$"""
        daemon off;
        worker_processes 1;
        pid "{{folder}}/nginx.pid";
        error_log stderr warn;
        {{(Environment.IsPrivilegedProcess ? $"user {Environment.UserName};" : "")}}
        events {
            worker_connections 4096;
        }

        http {
            access_log off;
            client_body_temp_path "{{folder}}/body";
            proxy_temp_path "{{folder}}/proxy";
            fastcgi_temp_path "{{folder}}/fastcgi";
            uwsgi_temp_path "{{folder}}/uwsgi";
            scgi_temp_path "{{folder}}/scgi";

            upstream servers {
                # Round robin. A replica that failed is left out for a moment only: when all have failed, nginx answers 502.
        {{string.Join('\n', servers.Select(server => $"        server {server.Authority} max_fails=1 fail_timeout=1s;"))}}
                keepalive 64;
            }

            # What the servers recognise when it comes again, by its Mcp-Ha-Exchange: everything within a session. A
            # request without a session may not be repeated: it would run twice.
            map "$http_mcp_session_id:$http_mcp_protocol_version" $mcp_repeatable {
                default 0;
                "~^.+:" 1;
            }

            server {
                listen 127.0.0.1:{{port}};
                # The servers say themselves what is too large, in JSON-RPC.
                client_max_body_size 0;
                client_body_buffer_size 1m;

                # Events go out as they come.
                proxy_buffering off;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme;
                # The id of the client's request, the same for every server that it is sent to: a request that is repeated runs once.
                proxy_set_header Mcp-Ha-Exchange $request_id;
                proxy_connect_timeout 1s;
                # 0: each server once.
                proxy_next_upstream_tries 0;

                location / {
                    proxy_pass http://servers;
                    # A request whose connection broke, or was silent, before the first byte of an answer goes to the next server, a POST too
                    # (non_idempotent).{{(balancers ? "" : " 503 is what a server answers that cannot reach the store.")}}
                    proxy_next_upstream error timeout{{(balancers ? "" : " http_503")}} non_idempotent;
                    # Streams may be open for days, but are never silent for longer than the servers' keep-alive comments
                    # (HighAvailability:KeepAlive, 5 s by default): what is silent for longer is frozen.
                    proxy_read_timeout {{silence.TotalSeconds:0}}s;
                    proxy_send_timeout {{silence.TotalSeconds:0}}s;

                    error_page 418 = @once;
                    if ($mcp_repeatable = 0) {
                        return 418;
                    }
                }

                location @once {
                    proxy_pass http://servers;
                    # Only what was certainly not sent goes to the next server.
                    proxy_next_upstream error timeout{{(balancers ? "" : " http_503")}};
                    # Calls without a session are not repeated, so nothing is gained by giving up early.
                    proxy_read_timeout 1h;
                }
            }
        }
        """;

    private static string ConfigurationFile(string folder) => Path.Combine(folder, "nginx.conf");
}
