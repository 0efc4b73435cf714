namespace Mcp.HighAvailability.Redis;

/// <summary>The scripts of handles and of the cluster, and what all scripts share. Each runs as one step on keys of one hash slot.</summary>
/// <remarks>
/// Commands: those of hashes, lists and sorted sets, <c>GET</c>, <c>SET</c>, <c>EXISTS</c>, <c>DEL</c>, <c>PEXPIRE</c>,
/// <c>PUBLISH</c>, <c>TIME</c> and <c>INFO</c>, which Redis, Valkey and Garnet share. A key that may have
/// expired is renewed with <c>pcall</c>: Garnet 2.2 answers an error where Redis answers 0.
/// </remarks>
internal static class RedisScripts
{
    /// <summary>The error of a script that finds a value which this library has not written.</summary>
    public const string Garbage = "GARBAGE";

    /// <summary>
    /// Applies changes of a table: field, 1, value sets; field, 0 removes. Returns whether a field is new: only then may the key be new, and lack its expiry.
    /// </summary>
    public const string Change = """
        local function change(key,prefix,changes)
          local added=false
          for _=1,changes do
            if ARGV[i+1]=='1' then
              if redis.call('HSET',key,prefix..ARGV[i],ARGV[i+2])>0 then added=true end
              i=i+3
            else
              redis.call('HDEL',key,prefix..ARGV[i])
              i=i+2
            end
          end
          return added
        end

        """;

    /// <summary>Creates a handle unless it exists.</summary>
    /// <remarks>KEYS: handle. ARGV: user, lifetime.</remarks>
    public const string CreateHandle = """
        if redis.call('EXISTS',KEYS[1])==0 then
          redis.call('HSET',KEYS[1],'user',ARGV[1],'version',0)
          redis.call('PEXPIRE',KEYS[1],ARGV[2])
        end
        return 1
        """;

    /// <summary>Reading a handle keeps it alive.</summary>
    /// <remarks>KEYS: handle, applied. ARGV: lifetime.</remarks>
    public const string ReadHandle = """
        for k=1,2 do redis.pcall('PEXPIRE',KEYS[k],ARGV[1]) end
        return redis.call('HGETALL',KEYS[1])
        """;

    /// <summary>A call is applied once, and only to the version that it has read.</summary>
    /// <remarks>
    /// KEYS: handle, applied. ARGV: 1 version, 2 call, 3 response, 4 calls to remember, 5 lifetime, 6 count of writes, then those.
    /// Answers {-1} unknown, {0} conflict, {1} committed, {2, response} applied before.
    /// </remarks>
    public const string CommitHandle = """
        local version=redis.call('HGET',KEYS[1],'version')
        if not version then
          if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
          return {-1}
        end
        local applied=redis.call('HGET',KEYS[2],'r:'..ARGV[2])
        if applied then return {2,applied} end
        if version~=ARGV[1] then
          if not tonumber(version) then return redis.error_reply('GARBAGE record') end
          return {0}
        end
        local i=7

        """ + Change + """
        change(KEYS[1],'k:',tonumber(ARGV[6]))
        local slot='s:'..(tonumber(version)%tonumber(ARGV[4]))
        local oldest=redis.call('HGET',KEYS[2],slot)
        if oldest then redis.call('HDEL',KEYS[2],'r:'..oldest) end
        redis.call('HSET',KEYS[2],slot,ARGV[2],'r:'..ARGV[2],ARGV[3])
        redis.call('HSET',KEYS[1],'version',tonumber(version)+1)
        for k=1,2 do redis.pcall('PEXPIRE',KEYS[k],ARGV[5]) end
        return {1}
        """;

    /// <summary>A key that is there stays as it is: two replicas that make the first one at the same time get both.</summary>
    /// <remarks>KEYS: data-protection. ARGV: name and XML of each key that should be there. Answers all of them.</remarks>
    public const string ShareKeys = """
        for i=1,#ARGV,2 do redis.call('HSETNX',KEYS[1],ARGV[i],ARGV[i+1]) end
        return redis.call('HGETALL',KEYS[1])
        """;

    /// <summary>All ages are measured by one clock, that of Redis; a replica that was silent for too long is removed.</summary>
    /// <remarks>
    /// KEYS: replicas. ARGV: replica id (empty: only look), its JSON, milliseconds of silence, 1 to ask the server for its run id. Answers the
    /// incarnation and its age in ms, then id, age in ms, JSON of each replica. Another incarnation begins when the mark of the former one is gone with all the
    /// rest, or when the server has another run id. A run id changes only behind a new connection, so a heartbeat asks for it only after one.
    /// </remarks>
    public const string Beat = """
        local t=redis.call('TIME')
        local micros=t[1]*1000000+t[2]
        local now=math.floor(micros/1000)
        local stamp=string.format('%.0f',now)
        if ARGV[1]~='' then redis.call('HSET',KEYS[1],ARGV[1],stamp..' '..ARGV[2]) end
        local all,known,since=redis.call('HGETALL',KEYS[1])
        for i=1,#all,2 do if all[i]==':run' then known,since=string.match(all[i+1],'^(%S+) (%d+)$') end end
        if ARGV[4]=='1' or not known then
          local info=redis.pcall('INFO','server')
          local server=type(info)=='string' and string.match(info,'run_id:(%w+)') or '-'
          if known~=server then
            known,since=server,string.format('%.0f',micros)
            redis.call('HSET',KEYS[1],':run',known..' '..since)
          end
        end
        local alive={known..'-'..since,math.max(0,math.floor((micros-tonumber(since))/1000))}
        for i=1,#all,2 do if all[i]~=':run' then
          local beat,json=string.match(all[i+1],'^(%d+) (.*)$')
          local age=beat and math.max(0,now-tonumber(beat))
          if age and age<=tonumber(ARGV[3]) then
            alive[#alive+1]=all[i]
            alive[#alive+1]=age
            alive[#alive+1]=json
          else
            redis.call('HDEL',KEYS[1],all[i])
          end
        end end
        return alive
        """;

    /// <summary>A session is counted until its record expires.</summary>
    /// <remarks>KEYS: open sessions. Answers how many there are, and what the server says of its memory (empty without the right to ask).</remarks>
    public const string Figures = """
        local t=redis.call('TIME')
        local now=string.format('%.0f',t[1]*1000+math.floor(t[2]/1000))
        while true do
          local gone=redis.call('ZRANGEBYSCORE',KEYS[1],'-inf',now,'LIMIT','0','1000')
          if #gone==0 then break end
          redis.call('ZREM',KEYS[1],unpack(gone))
        end
        local info=redis.pcall('INFO','memory')
        return {redis.call('ZCARD',KEYS[1]),type(info)=='string' and info or ''}
        """;

    /// <summary>Runs every command that scripts and the library itself need on a key of its own, which it removes again.</summary>
    /// <remarks>
    /// KEYS: check. ARGV: a channel. Answers what the server says of itself (empty without the right to ask) and the first command that failed, with its
    /// error (empty: none). The script asks, because the client takes INFO for a command of administrators. SUBSCRIBE is not tried: a script cannot.
    /// </remarks>
    public const string Check = """
        local key=KEYS[1]
        local function try(...)
          local answer=redis.pcall(...)
          if type(answer)=='table' and answer.err then return (...)..': '..answer.err end
        end
        local failed=try('DEL',key) or try('EXISTS',key) or try('TIME')
          or try('HSET',key,'a','1','b','2') or try('HSETNX',key,'a','1') or try('HGET',key,'a') or try('HMGET',key,'a','b')
          or try('HGETALL',key) or try('HKEYS',key) or try('HEXISTS',key,'a') or try('HDEL',key,'a') or try('PEXPIRE',key,'60000')
          or try('PTTL',key) or try('TYPE',key) or try('DEL',key)
          or try('RPUSH',key,'a','b','c') or try('LPUSH',key,'a') or try('LLEN',key) or try('LINDEX',key,'0') or try('LSET',key,'0','')
          or try('LREM',key,'0','') or try('LRANGE',key,'0','-1') or try('LTRIM',key,'1','-1') or try('LPOP',key) or try('DEL',key)
          or try('PUBLISH',ARGV[1],'')
          or try('HINCRBY',key,'a','1') or try('DEL',key) or try('SET',key,'a','PX','60000') or try('GET',key) or try('DEL',key)
          or try('ZADD',key,'1','a') or try('ZSCORE',key,'a') or try('ZCARD',key) or try('ZRANGEBYSCORE',key,'-inf','1','LIMIT','0','1')
          or try('ZREM',key,'a') or try('DEL',key)
        local info=redis.pcall('INFO','server')
        return {type(info)=='string' and info or '',failed or ''}
        """;
}
